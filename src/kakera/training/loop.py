"""The training loop, in one function: see `train`."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import torch
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn

from kakera.data.batch import Batch
from kakera.errors import DataError, DivergedError, OptionError, StoppedError, UnreadableFileError
from kakera.progress import Progress
from kakera.storage import storing
from kakera.training.best_epoch import BestEpoch
from kakera.training.distributed import Distributed, empty_copy, full_tensor, gather_model
from kakera.training.ema import EMA
from kakera.training.engine import engine
from kakera.training.layer_wrappers import activation_checkpointing, compiled
from kakera.training.metrics_log import METRICS
from kakera.training.optimizer import adamw_or_muon
from kakera.training.plan import TrainingPlan
from kakera.training.run import UNREADABLE, Run
from kakera.training.schedule import learning_rate, peak_rate

BAD_STEPS = 20  # consecutive steps without a finite gradient that end the run
M = TypeVar("M", bound=nn.Module)
EachEpoch: TypeAlias = Callable[[int, M], dict[str, float] | None]
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Task(Protocol[M]):
    """A learning task: a model and the loss of a batch.

    Example:

        >>> class Regression:
        ...     model = nn.Linear(1, 1)
        ...     def loss(self, model, batch):
        ...         return (model(batch.pictures) - batch.labels).square().mean()
        ...     def weight(self, batch):
        ...         return len(batch.samples)
    """

    model: M

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss of a batch. `model` is `self.model`, wrapped by Lightning Fabric."""
        ...

    def weight(self, batch: Batch) -> float:
        """Return the number of terms, such as samples, in the mean of the loss."""
        ...


def train(
    task: Task[M],
    plan: TrainingPlan,
    run: Run,
    *,
    verb: str,
    each_epoch: EachEpoch[M] | None = None,
    best: BestEpoch[M] | None = None,
) -> M:
    """Train `task.model`, from the newest checkpoint if there is one, and return the final model.

    `each_epoch` is called with the number of the epoch and the model; its result goes into the metrics. With
    `best`, the result needs `val_accuracy` (for regression `val_error`) and `val_loss`, and the model of the
    best epoch is returned.
    Raises DivergedError after 20 consecutive steps without a finite gradient, DataError if too many files are
    unreadable, StoppedError after a signal, RunError if another process ended.
    """
    options = plan.options
    average: EMA[M] = EMA(task.model, plan.ema)
    dist = run.dist if run.dist.fabric else Distributed(engine(options))
    fabric, share = dist.fabric, plan.batch_slice(dist)
    assert fabric is not None
    _require_samples(task.model, share.of)
    empty = empty_copy(task.model) if options.strategy == "fsdp" else None
    peak = peak_rate(options.base_lr, plan.batch)
    model = fabric.setup_module(task.model)
    optimizer = adamw_or_muon(task.model, plan, peak, fabric.device)
    stepper = cast(torch.optim.Optimizer, fabric.setup_optimizers(optimizer))
    average.to(fabric)
    average.set_teacher(task)
    kept = average.state if best is None else {**average.state, "best": best.to(fabric.device)}
    start = run.load_checkpoint(task.model, optimizer, **kept)
    run.truncate_log(start)
    if plan.frozen is not None:
        plan.frozen.fill(task, plan, fabric)
    _list(run, plan, dist, plan.train.unreadable)
    board = TensorBoardLogger(run.folder, name="", version="", sub_dir=None)
    losses: list[float] = []
    bad = skipped = 0
    saved_at = time.monotonic()
    progress = Progress(
        verb, total=plan.steps, start=start, kind=plan.train.kind, batch=plan.batch, quiet=not dist.is_main
    )
    with (
        progress,
        compiled(task.model, options, fabric.device) as aside,
        activation_checkpointing(task.model, options.activation_checkpointing),
        run.stop.defer(),
    ):
        for pieces in plan.steps_from(start, share, pinned=fabric.device.type == "cuda"):
            if best is not None and best.exhausted:
                break  # the checkpoint of the last step is written
            step, done = pieces[0].step, pieces[0].step + 1
            if not task.model.training:
                model.train()
            rate = learning_rate(step, peak=peak, warmup_steps=plan.warmup_steps, total_steps=plan.steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_scale"]
            loss = _backward(task, model, pieces, dist, progress)
            norm = fabric.clip_gradients(
                model, optimizer, max_norm=options.grad_clip or math.inf, error_if_nonfinite=False
            )
            due = time.monotonic() - saved_at > options.checkpoint_seconds and dist.is_main
            broken = [error for piece in pieces for error in piece.unreadable]
            asked = run.stop.received
            value, saves, unreadable, interrupts, terms = dist.all_reduce_sum(
                loss, due, len(broken), asked == signal.SIGINT, asked == signal.SIGTERM
            )
            if unreadable:
                _list(run, plan, dist, broken)
            if math.isfinite(value) and norm is not None and math.isfinite(float(full_tensor(norm))):
                stepper.step()
                average.update(task.model)
                losses.append(value)
                bad = 0
            else:
                bad, skipped = bad + 1, skipped + 1
                run.log({"step": done, "skipped": _names(plan, pieces, dist)})
                _stop_if(bad, dist)
            optimizer.zero_grad()
            progress.advance(note=f"loss {value:.4f}")
            if done % plan.steps_per_epoch == 0 or done == plan.steps:
                epoch, mean = done // plan.steps_per_epoch, sum(losses) / max(len(losses), 1)
                losses.clear()
                noted: dict[str, float] = {}
                if each_epoch is not None:
                    with aside():
                        measured = task.model if best is None else average.model or task.model
                        whole_model = measured if empty is None else gather_model(measured, empty)
                        noted = each_epoch(epoch, whole_model) or {}
                if best is not None:
                    _judge(best, epoch, noted, average.model or task.model, dist)
                seen = {"step": done, "epoch": epoch, "loss": mean, "rate": rate}
                run.log({**seen, **noted, "seconds": progress.seconds})
                with storing(run.folder):
                    board.log_metrics({"loss": mean, "rate": rate, **noted}, step=done)
            if saves or interrupts or terms or done == plan.steps or (best is not None and best.exhausted):
                run.save_checkpoint(done, task.model, optimizer, **kept)
                saved_at = time.monotonic()
            if interrupts or terms:
                text = f"stopped after step {done} of {plan.steps} (saved); run the same command to resume"
                dist.raise_on_rank_zero(StoppedError(text, signal.SIGTERM if terms else signal.SIGINT))
    with storing(run.folder):
        board.finalize("success")
    if skipped and dist.is_main:
        print(f"{verb}: {skipped} steps were skipped, see {run.folder / METRICS}", file=sys.stderr)
    final = average.model or task.model
    if best is not None and best.kept:
        final = best.model
    return (final.cpu() if empty is None else gather_model(final, empty)).eval()


def _judge(
    best: BestEpoch[Any], epoch: int, noted: dict[str, float], model: nn.Module, dist: Distributed
) -> None:
    """Update the best epoch with the main process's measurement, so that all stop at the same step."""
    own = noted.get("val_accuracy", -noted.get("val_error", 0.0))
    measured = "val_loss" in noted
    there, accuracy, loss = dist.all_reduce_sum(measured, own, noted.get("val_loss", 0.0))
    if there:
        best.update(epoch, accuracy, loss, model)


def _backward(
    task: Task[Any], model: Any, pieces: list[Batch], dist: Distributed, progress: Progress
) -> float:
    """Compute the gradients of the mean loss of a step; return the part of the loss from this process.

    Each piece counts by its weight. Fabric averages the gradients over the processes, so the loss is
    multiplied by their number.
    """
    fabric = dist.fabric
    assert fabric is not None
    weights = [task.weight(piece) if len(piece.samples) else 0.0 for piece in pieces]
    (everything,) = dist.all_reduce_sum(sum(weights))
    if not everything:
        return math.nan  # no process could read any sample
    part = 0.0
    for number, (piece, weight) in enumerate(zip(pieces, weights, strict=True)):
        share = weight / everything
        piece = piece if len(piece.samples) else piece.blank()
        last = number == len(pieces) - 1
        with nullcontext() if last else fabric.no_backward_sync(model):
            loss = task.loss(model, piece.to(fabric.device))
            fabric.backward(loss * (share * dist.size))
        part += loss.item() * share
        progress.within(number + 1, len(pieces))
    return part


def _names(plan: TrainingPlan, pieces: list[Batch], dist: Distributed) -> list[str]:
    """Return the files of a step, of all processes."""
    mine = [plan.train.pictures.name(int(number)) for piece in pieces for number in piece.samples]
    return [name for names in dist.all_gather(mine) for name in names]


def _list(run: Run, plan: TrainingPlan, dist: Distributed, broken: Sequence[UnreadableFileError]) -> None:
    """List the unreadable files of all processes. Raises DataError if they are too many."""
    broken_count = run.list_unreadable(error for errors in dist.all_gather(list(broken)) for error in errors)
    count, most = len(plan.train) + len(plan.train.unreadable), plan.options.unreadable_share
    if broken_count > most * count:
        error = DataError(
            plan.train.name,
            got=f"{broken_count} of {count} files unreadable",
            expected=f"at most {100 * most:g} %",
            do=f"see {run.folder / UNREADABLE}, or raise --unreadable-share",
        )
        dist.raise_on_rank_zero(error)


def _require_samples(model: nn.Module, pieces: int) -> None:
    """Raise OptionError for batch normalisation and several pieces: results would depend on the pieces."""
    if pieces > 1 and any(isinstance(part, BATCH_NORMS) for part in model.modules()):
        raise OptionError(
            "model",
            got=f"batch normalisation, and batches in {pieces} pieces",
            expected="one process and --grad-accum 1 for a CNN",
            do="choose a Transformer, or one process",
        )


def _stop_if(bad: int, dist: Distributed) -> None:
    if bad >= BAD_STEPS:
        error = DivergedError(
            "training",
            got=f"{bad} consecutive steps with a loss or gradient that is not finite",
            expected="finite numbers",
            do="lower the learning rate; metrics.jsonl lists the files of these steps",
        )
        dist.raise_on_rank_zero(error)
