"""The training loop: one function, everything visible."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn

from kakera.data.dataset import Dataset
from kakera.data.loader import Augmentation, Batch, training_batches
from kakera.errors import RunError, UnreadableFileError, sentence
from kakera.training.options import LearningOptions
from kakera.training.parameters import groups
from kakera.training.progress import Progress
from kakera.training.run import Run
from kakera.training.schedule import learning_rate, peak_rate

BAD_STEPS = 20  # so many in a row without a finite gradient end the run


class Task(Protocol):
    """What is learned: a model, and the loss of a batch."""

    model: nn.Module

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The loss, through `model`, which is `self.model` as the engine wraps it."""
        ...


@dataclass(frozen=True)
class Plan:
    """What to train on and for how long."""

    train: Dataset
    size: tuple[int, int]
    augmentation: Augmentation
    options: LearningOptions
    seed: int
    workers: int
    layer_decay: float = 1.0
    ema: float = 0.0

    @property
    def batch(self) -> int:
        """Pictures a step: no more than there are."""
        return min(self.options.batch, len(self.train))

    @property
    def steps_per_epoch(self) -> int:
        """The last, partial batch is left for another epoch's order."""
        return max(1, len(self.train) // self.batch)

    @property
    def steps(self) -> int:
        """All steps of the run."""
        return max(round(self.options.epochs * self.steps_per_epoch), self.options.least_steps, 1)

    @property
    def warmup_steps(self) -> int:
        """The same share of the steps as of the epochs."""
        return min(round(self.steps * self.options.warmup_epochs / self.options.epochs), self.steps // 2)


def engine(options: LearningOptions, run: Run | None = None) -> Fabric:
    """Lightning Fabric on the chosen device. Raises RunError where there is none."""
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = options.precision
    if precision == "auto":
        precision = "bf16-mixed" if device == "cuda" else "32-true"
    loggers = [TensorBoardLogger(run.folder, name="", version="", sub_dir=None)] if run else []
    try:
        return Fabric(accelerator=device, devices=1, precision=precision, loggers=loggers)  # type: ignore[arg-type]  # a string from the user, checked by Fabric
    except Exception as error:  # Fabric raises several kinds for what a machine lacks
        raise RunError(
            sentence("device", got=device, expected="one that is here", do=f"try --device cpu ({error})")
        ) from error


def train(
    task: Task, plan: Plan, run: Run, *, verb: str, each_epoch: Callable[[int], None] | None = None
) -> nn.Module:
    """Train `task.model`, from the newest checkpoint if there is one; returns the weights to keep.

    Raises RunError after many steps in a row without a finite gradient, DataError where no picture of
    many batches can be read.
    """
    options, average = plan.options, _Average(task.model, plan.ema)
    fabric = engine(options, run)
    fused = fabric.device.type in ("cpu", "cuda")
    peak = peak_rate(options.base_rate, plan.batch)
    parts = groups(task.model, weight_decay=options.weight_decay, lr=peak, layer_decay=plan.layer_decay)
    optimizer = torch.optim.AdamW(
        [{k: v for k, v in part.items() if k != "names"} for part in parts],
        lr=peak,
        betas=(0.9, options.beta2),
        fused=fused,
    )
    average_state = {"ema": average.model} if average.model is not None else {}
    start = run.restore(task.model, optimizer, **average_state)
    run.forget_after(start)
    model, optimizer = fabric.setup(task.model, optimizer)
    model.train()
    unreadable: dict[str, UnreadableFileError] = {error.path: error for error in plan.train.unreadable}
    run.list_unreadable(unreadable)
    batches = training_batches(
        plan.train,
        plan.size,
        plan.augmentation,
        seed=plan.seed,
        batch=plan.batch,
        steps=plan.steps,
        start=start,
        workers=plan.workers,
    )
    recent: list[float] = []
    bad, saved_at = 0, time.monotonic()
    with Progress(verb, total=plan.steps, start=start, unit=plan.batch) as progress:
        for step, batch in enumerate(batches, start=start):
            if batch.unreadable:
                unreadable |= {error.path: error for error in batch.unreadable}
                run.list_unreadable(unreadable)
            rate = learning_rate(step, peak=peak, warmup_steps=plan.warmup_steps, total_steps=plan.steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_scale"]
            loss = task.loss(model, _to(fabric.device, batch))
            fabric.backward(loss)
            limit = options.clip or math.inf
            norm = fabric.clip_gradients(model, optimizer, max_norm=limit, error_if_nonfinite=False)
            value = loss.item()
            if math.isfinite(value) and norm is not None and math.isfinite(float(norm)):
                optimizer.step()
                average.update(task.model)
                recent.append(value)
                bad = 0
            else:
                bad += 1
                run.log(
                    {"step": step + 1, "skipped": [plan.train.pictures.name(int(i)) for i in batch.samples]}
                )
            optimizer.zero_grad()
            _stop_if(bad)
            progress.advance(loss=value)
            done = step + 1
            if done % plan.steps_per_epoch == 0 or done == plan.steps:
                epoch = done // plan.steps_per_epoch
                values = {
                    "step": done,
                    "epoch": epoch,
                    "loss": sum(recent) / max(len(recent), 1),
                    "rate": rate,
                }
                run.log(values)
                fabric.log_dict({"loss": values["loss"], "rate": rate}, step=done)
                recent = []
                if each_epoch is not None:
                    each_epoch(epoch)
                    model.train()
            if time.monotonic() - saved_at > options.checkpoint_seconds and done < plan.steps:
                run.save(done, task.model, optimizer, **average_state)
                saved_at = time.monotonic()
    if start < plan.steps:
        run.save(plan.steps, task.model, optimizer, **average_state)
    return (average.model or task.model).cpu().eval()


class _Average:
    """An exponential moving average of the weights, or nothing at a decay of 0."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False) if decay else None

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """One step towards the weights of `model`; buffers are copied."""
        if self.model is None:
            return
        for mean, value in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if value.is_floating_point():
                mean.to(value.device).lerp_(value, 1 - self.decay)
            else:
                mean.copy_(value)


def _to(device: torch.device, batch: Batch) -> Batch:
    labels = None if batch.labels is None else batch.labels.to(device)
    return Batch(batch.pictures.to(device), labels, batch.samples, batch.epoch, batch.step, batch.unreadable)


def _stop_if(bad: int) -> None:
    if bad >= BAD_STEPS:
        raise RunError(
            sentence(
                "training",
                got=f"{bad} steps in a row with a loss or gradient that is not finite",
                expected="finite numbers",
                do="lower the learning rate; metrics.jsonl names the pictures",
            )
        )
