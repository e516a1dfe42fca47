"""Accuracy of a classifier during training, on a few fixed training files and on validation files.

It is measured about ten times per run, in evaluation mode and without augmentation. The measurement draws no
random numbers and changes no weights and no running statistics, so the training stays the same bit by bit.
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
from kakera.training.options import FinetuneOptions
from kakera.training.plan import TrainingPlan
from kakera.training.preview import preview
from kakera.training.run import Run

LOOKS = 10  # measurements per run
TRAIN, VAL = 256, 512  # most files of each part
SHARE = 0.03  # all measurements together take at most this share of the training time
# The same if the measurements decide which weights are kept:
DECIDING_LOOKS, DECIDING_VAL, DECIDING_SHARE = 50, 5000, 1 / 3
FORWARD = 1 / 3  # cost of a forward pass as a share of a training step: the backward pass costs twice as much
BYTES = 96 << 20  # most memory for the files to measure on: 96 MiB
CHUNK = 64  # files per forward pass


@dataclass(frozen=True, eq=False)
class Sample:
    """Stored values (n, c, H, W), the padding mask of the patches, and the labels of a fixed set of files.

    Example:

        >>> Sample(torch.zeros(2, 1, 28, 28), None, torch.tensor([0, 1])).labels.tolist()
        [0, 1]
    """

    pictures: Tensor
    padding: Tensor | None
    labels: Tensor


class AccuracyMonitor:
    """A callback after each epoch that measures accuracy and loss for the metrics."""

    def __init__(
        self,
        saved: Pretrained[WithHead],
        data: Dataset,
        plan: TrainingPlan,
        run: Run,
        *,
        decides: bool = False,
    ) -> None:
        """Choose the files; `decides` is True if the measurements decide which weights are kept."""
        most, share = (DECIDING_LOOKS, DECIDING_SHARE) if decides else (LOOKS, SHARE)
        assert isinstance(plan.options, FinetuneOptions)
        self.saved, self.run, self.epochs = saved, run, plan.steps / plan.steps_per_epoch
        self.chance = chance_loss(saved, plan.options)
        each = self._bytes_of_a_file(saved)
        room = max(1, BYTES // each)
        val = _first(labelled_part(data, "val"), min(DECIDING_VAL if decides else VAL, room * 2 // 3))
        seen = min(TRAIN, room // 3, len(val) if decides else TRAIN)
        self.parts = {"train": _first(plan.train, seen), "val": val}
        files = sum(len(part) for part in self.parts.values())
        # All training costs steps * batch files; a measurement costs FORWARD * files of the same unit.
        affordable = share * plan.steps * plan.batch / (FORWARD * max(files, 1))
        self.looks = min(most, max(int(affordable), 1 if decides else 0))
        self.samples: dict[str, Sample] = {}
        self.warned = False

    def __call__(self, epoch: int, model: WithHead) -> dict[str, float]:
        """Measure `train_accuracy`, `train_loss`, `val_accuracy` and `val_loss`, and return them by name.

        Return an empty dictionary in epochs without a measurement. For a multi-label model the accuracy is
        the share of correct yes-or-no predictions over all classes. For regression, `train_error` and
        `val_error` take the place of the accuracies, see `measured`.
        """
        warn_if_stalled(self.run, epoch, self.epochs, self.chance)
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
        measure = "error" if self.saved.regression else "accuracy"
        values = {f"{name}_{measure}": value for name, (value, _) in found.items()}
        values |= {f"{name}_loss": loss for name, (_, loss) in found.items()}
        self._warn(epoch, values)
        return values

    def due(self, epoch: int) -> bool:
        """Return True if this epoch has a measurement; they are evenly spaced, the last one at the end."""
        before, now = ((epoch - i) * self.looks / max(self.epochs, 1) for i in (1, 0))
        return self.looks > 0 and int(now + 1e-9) > int(before + 1e-9)  # 1e-9 absorbs rounding errors

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
        return (
            values if inputs.sound is None else 4 * 2 * values
        )  # float32, and the waveform while it is read


def measured(saved: Pretrained, sample: Sample) -> tuple[float, float]:
    """Return the accuracy (0 to 1) and the mean loss of a sample, rounded to four decimals.

    For regression, in place of the accuracy, return the root mean squared error as a share of the standard
    deviation of the training targets; the loss is its square.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> accuracy, loss = measured(saved, Sample(torch.zeros(2, 1, 28, 28), None, torch.tensor([0, 1])))
        >>> accuracy
        0.5
    """
    rows = list[Tensor]()
    for start in range(0, len(sample.pictures), CHUNK):
        part = slice(start, start + CHUNK)
        pixels = saved.inputs.normalize(sample.pictures[part].to(saved.device))
        padding = None if sample.padding is None else sample.padding[part]
        rows.append(probabilities(saved, pixels, padding).cpu())
    if saved.targets is not None:
        values, truth = (
            saved.targets.standardised(each.float()) for each in (torch.cat(rows), sample.labels)
        )
        loss = functional.mse_loss(values, truth).item()
        return round(loss**0.5, 4), round(loss, 4)
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
