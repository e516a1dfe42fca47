"""How well a classifier does while it is trained: on a few fixed training files, and on validation files.

It looks about ten times a run, in evaluation mode and without augmentation. Nothing is drawn, no weight and
no running statistic moves, so the training is the same, bit by bit, as without it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from kakera import seeding
from kakera.commands.labelled import labelled_part
from kakera.commands.pages.history import History, chance_loss, memorised, warn_if_stalled
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained, WithHead
from kakera.formats.inference import probabilities
from kakera.training.plan import TrainingPlan
from kakera.training.preview import preview
from kakera.training.run import Run

LOOKS = 10  # a run
TRAIN, VAL = 256, 512  # files at most
SHARE = 0.03  # of the training's time, at most
FORWARD = 1 / 3  # of what training on a file takes: the way back takes twice the way there
BYTES = 96 << 20  # of all that is kept to look at
CHUNK = 64  # files at a time


@dataclass(frozen=True, eq=False)
class Sample:
    """Stored values (n, c, H, W), the patches that are padding, labels."""

    pictures: Tensor
    padding: Tensor | None
    labels: Tensor


class Watch:
    """Called after each epoch; what it measures goes into the metrics."""

    def __init__(self, saved: Pretrained[WithHead], data: Dataset, plan: TrainingPlan, run: Run) -> None:
        self.saved, self.run, self.epochs = saved, run, plan.steps / plan.steps_per_epoch
        each = self._bytes_of_a_file(saved)
        room = max(1, BYTES // each)
        self.parts = {
            "train": _first(plan.train, min(TRAIN, room // 3)),
            "val": _first(labelled_part(data, "val"), min(VAL, room * 2 // 3)),
        }
        files = sum(len(part) for part in self.parts.values())
        affordable = SHARE * plan.steps * plan.batch / (FORWARD * max(files, 1))
        self.looks = min(LOOKS, int(affordable))
        self.samples: dict[str, Sample] = {}
        self.warned = False

    def __call__(self, epoch: int, model: WithHead) -> dict[str, float]:
        """`train_accuracy`, `train_loss` and the same of `val`, where it is time to look; else nothing.

        Where files may have several labels, the accuracy is the share of right answers, yes or no.
        """
        warn_if_stalled(self.run, epoch, self.epochs, chance_loss(self.saved))
        if not self.due(epoch) or not self.run.dist.is_main:
            return {}
        saved, mode = replace(self.saved, model=model), model.training
        if not self.samples:
            samples = {name: self._sample(part) for name, part in self.parts.items() if len(part)}
            self.samples = {name: sample for name, sample in samples.items() if len(sample.pictures)}
        model.eval()
        try:
            found = {name: measured(saved, sample) for name, sample in self.samples.items()}
        finally:
            model.train(mode)
        values = {f"{name}_accuracy": accuracy for name, (accuracy, _) in found.items()}
        values |= {f"{name}_loss": loss for name, (_, loss) in found.items()}
        self._warn(epoch, values)
        return values

    def due(self, epoch: int) -> bool:
        """Whether a look falls into this epoch: evenly spread over the run, the last at its end."""
        before, now = ((epoch - i) * self.looks / max(self.epochs, 1) for i in (1, 0))
        return self.looks > 0 and int(now + 1e-9) > int(before + 1e-9)

    def _warn(self, epoch: int, values: dict[str, float]) -> None:
        history = History.of(self.run.folder)
        train, val = (
            [*history.points(key), *([(float(epoch), values[key])] if key in values else [])]
            for key in ("train_accuracy", "val_accuracy")
        )
        text = memorised(train, val, len(self.parts["val"]))
        if text and not self.warned:
            print(f"warning: {text}", file=sys.stderr)
            self.warned = True

    def _sample(self, part: Dataset) -> Sample:
        looked = preview(part, self.saved.front_end)
        assert looked.batch.labels is not None
        return Sample(looked.pictures, looked.padding, looked.batch.labels)

    @staticmethod
    def _bytes_of_a_file(saved: Pretrained) -> int:
        inputs = saved.inputs
        values = inputs.channels * inputs.height * inputs.width
        return values if inputs.sound is None else 4 * 2 * values  # floats, and the waveform on the way


def measured(saved: Pretrained, sample: Sample) -> tuple[float, float]:
    """Accuracy and mean loss of a sample."""
    rows = list[Tensor]()
    for start in range(0, len(sample.pictures), CHUNK):
        part = slice(start, start + CHUNK)
        pixels = saved.inputs.normalize(sample.pictures[part].to(saved.device))
        padding = None if sample.padding is None else sample.padding[part]
        rows.append(probabilities(saved, pixels, padding).cpu())
    found = torch.cat(rows).float().clamp(1e-7, 1 - 1e-7)
    if saved.multi_label:
        right = ((found > 0.5) == (sample.labels > 0.5)).float().mean()
        loss = functional.binary_cross_entropy(found, sample.labels.float())
    else:
        right = (found.argmax(dim=1) == sample.labels).float().mean()
        loss = functional.nll_loss(found.log(), sample.labels)
    return round(right.item(), 4), round(loss.item(), 4)


def _first(part: Dataset, most: int) -> Dataset:
    return part.take(seeding.permutation(0, 0, len(part), "watched")[:most])
