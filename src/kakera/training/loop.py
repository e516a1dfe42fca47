"""The training loop: one function, everything visible."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn

from kakera.data.dataset import Dataset
from kakera.data.loader import Augmentation, Batch, training_batches
from kakera.errors import DivergedError, RunError, sentence
from kakera.training.average import Average
from kakera.training.compiled import compiled
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

    def batches(self, start: int) -> Iterator[Batch]:
        """The batches from step `start` on."""
        return training_batches(
            self.train,
            self.size,
            self.augmentation,
            seed=self.seed,
            batch=self.batch,
            steps=self.steps,
            start=start,
            workers=self.workers,
        )


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

    Raises DivergedError after many steps in a row without a finite gradient, DataError where no picture of
    many batches can be read.
    """
    options, average = plan.options, Average(task.model, plan.ema)
    fabric = engine(options, run)
    peak = peak_rate(options.base_rate, plan.batch)
    optimizer = _optimizer(task.model, plan, peak, fabric.device)
    start = run.restore(task.model, optimizer, **average.parts)
    run.forget_after(start)
    model = compiled(task.model, options, fabric.device)
    model, optimizer = fabric.setup(model, optimizer)
    average.to(fabric.device)
    run.list_unreadable(plan.train.unreadable)
    losses: list[float] = []
    bad, saved_at = 0, time.monotonic()
    with Progress(verb, total=plan.steps, start=start, unit=plan.batch) as progress:
        for batch in plan.batches(start):
            model.train()
            run.list_unreadable(batch.unreadable)
            rate = learning_rate(
                batch.step, peak=peak, warmup_steps=plan.warmup_steps, total_steps=plan.steps
            )
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_scale"]
            loss = task.loss(model, batch.to(fabric.device))
            fabric.backward(loss)
            norm = fabric.clip_gradients(
                model, optimizer, max_norm=options.clip or math.inf, error_if_nonfinite=False
            )
            value, done = loss.item(), batch.step + 1
            if math.isfinite(value) and norm is not None and math.isfinite(float(norm)):
                optimizer.step()
                average.update(task.model)
                losses.append(value)
                bad = 0
            else:
                bad += 1
                names = [plan.train.pictures.name(int(number)) for number in batch.samples]
                run.log({"step": done, "skipped": names})
                _stop_if(bad)
            optimizer.zero_grad()
            progress.advance(loss=value)
            if done % plan.steps_per_epoch == 0 or done == plan.steps:
                epoch, mean = done // plan.steps_per_epoch, sum(losses) / max(len(losses), 1)
                losses.clear()
                run.log(
                    {"step": done, "epoch": epoch, "loss": mean, "rate": rate, "seconds": progress.seconds}
                )
                fabric.log_dict({"loss": mean, "rate": rate}, step=done)
                if each_epoch is not None:
                    each_epoch(epoch)
            if time.monotonic() - saved_at > options.checkpoint_seconds or done == plan.steps:
                run.save(done, task.model, optimizer, **average.parts)
                saved_at = time.monotonic()
    for logger in fabric.loggers:
        logger.finalize("success")
    return (average.model or task.model).cpu().eval()


def _optimizer(model: nn.Module, plan: Plan, peak: float, device: torch.device) -> torch.optim.Optimizer:
    """AdamW on groups by depth and decay, in one fused kernel where there is one."""
    parts = groups(model, weight_decay=plan.options.weight_decay, lr=peak, layer_decay=plan.layer_decay)
    return torch.optim.AdamW(
        [{key: value for key, value in part.items() if key != "names"} for part in parts],
        lr=peak,
        betas=(0.9, plan.options.beta2),
        fused=device.type in ("cpu", "cuda"),
    )


def _stop_if(bad: int) -> None:
    if bad >= BAD_STEPS:
        raise DivergedError(
            sentence(
                "training",
                got=f"{bad} steps in a row with a loss or gradient that is not finite",
                expected="finite numbers",
                do="lower the learning rate; metrics.jsonl names the pictures",
            )
        )
