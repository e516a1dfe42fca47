"""What is learned: to guess hidden patches, or to name what a picture shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kakera import seeding
from kakera.data.loader import Batch
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from kakera.model.masking import MASKINGS, among
from kakera.model.resnet import ResNet
from kakera.model.stochastic_depth import survival
from kakera.training.batch_augment import distort, mix, mix_waves
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.stripes import striped
from kakera.training.view import View


class Pretraining:
    """Guess hidden patches; the mask of a picture depends on (seed, epoch, picture) alone."""

    def __init__(self, model: MAE, inputs: InputSpec, options: PretrainOptions) -> None:
        self.model: nn.Module = model
        self.grid, self.options = model.encoder.grid, options
        self.view = View.of(model.encoder, inputs)

    def weight(self, batch: Batch) -> float:
        """Of recordings the patches to guess, which are fewer in short ones; of pictures the pictures."""
        if self.view.inputs.sound is None:
            return len(batch.samples)
        absent = self.view.absent(batch)
        count = torch.full((len(batch.samples),), self.grid.count)
        present = (count if absent is None else count - absent.sum(dim=1).cpu()).double()
        hidden = present - (present * (1 - self.options.mask_ratio)).long().clamp(min=1)
        asked = (hidden * self.options.predicted).long().clamp(min=1)
        return float(torch.minimum(asked, hidden.long()).sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Squared error on the hidden patches, or on those that are to be predicted."""
        options, samples = self.options, batch.samples.numpy()
        noise = seeding.uniform(options.seed, batch.epoch, samples, "mask", self.grid.count)
        pictures, absent = self.view.pictures(batch), self.view.absent(batch)
        gone = None if absent is None else absent.cpu().numpy()
        hidden = MASKINGS[options.masking](noise, self.grid, options.mask_ratio, gone)
        asked = None
        if options.predicted < 1:
            noise = seeding.uniform(options.seed, batch.epoch, samples, "predicted", self.grid.count)
            asked = torch.from_numpy(among(noise, hidden, options.predicted))
        return model(
            pictures, torch.from_numpy(hidden), absent, asked
        )  # masks on the CPU: see model/roles.py


class Classification:
    """Name what a picture shows: cross-entropy on soft targets, or one yes or no a class.

    `labels` (n,) are those of all training pictures; their shares are what `class_balance` adjusts for.
    """

    def __init__(
        self,
        model: Classifier | ResNet,
        inputs: InputSpec,
        options: FinetuneOptions,
        *,
        several: bool,
        labels: NDArray[Any] | None = None,
    ) -> None:
        self.model: nn.Module = model
        self.depth = model.encoder.shape.depth if isinstance(model, Classifier) else 0
        self.classes, self.inputs, self.options, self.several = model.classes, inputs, options, several
        self.view = View.of(model, inputs)
        self.adjustment: Tensor | None = None
        if options.class_balance and labels is not None and not several:
            self.adjustment = options.class_balance * log_prior(labels, self.classes)

    def weight(self, batch: Batch) -> float:
        """Each sample counts the same."""
        return len(batch.samples)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Of a batch after mixing, erasing and RandAugment; of recordings after mixing and stripes."""
        assert batch.labels is not None
        targets = self._targets(batch.labels)
        absent = None
        if self.inputs.sound is None:
            pictures, targets = self._pictures(batch, targets)
        else:
            pictures, targets, absent = self._spectrograms(batch, targets)
        survive = self._survive(batch).to(pictures.device) if self.depth and self.options.drop_path else None
        scores = model(pictures, survive) if absent is None else model(pictures, survive, absent=absent)
        if self.several:
            return functional.binary_cross_entropy_with_logits(scores, targets)
        if self.adjustment is not None:
            scores = scores + self.adjustment.to(scores.device)
        return functional.cross_entropy(scores, targets)

    def _pictures(self, batch: Batch, targets: Tensor) -> tuple[Tensor, Tensor]:
        pictures = distort(batch.pictures / self.inputs.scale, self.options, batch.step, batch.places)
        pictures = self.inputs.normalise(pictures * self.inputs.scale)
        return mix(pictures, targets, self.options, batch.step, batch.partners)

    def _spectrograms(self, batch: Batch, targets: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        assert self.inputs.sound is not None
        options = self.options
        batch, targets = mix_waves(batch, targets, options)
        pictures = self.view.pictures(batch)
        if options.time_mask or options.freq_mask:
            frames = round(options.time_mask * 1000 / self.inputs.sound.hop)
            pictures = striped(pictures, batch, options.seed, bands=options.freq_mask, frames=frames)
        return pictures, targets, self.view.absent(batch)

    def _targets(self, labels: Tensor) -> Tensor:
        if self.several:
            return labels.float()
        hot = functional.one_hot(labels, self.classes).float()
        return hot * (1 - self.options.label_smoothing) + self.options.label_smoothing / self.classes

    def _survive(self, batch: Batch) -> Tensor:
        noise = seeding.uniform(
            self.options.seed, batch.epoch, batch.samples.numpy(), "drop-path", 2 * self.depth
        )
        return survival(torch.from_numpy(noise).float(), self.options.drop_path, self.depth)


def log_prior(labels: NDArray[Any], classes: int) -> Tensor:
    """Return the logarithm of each class's share of the labels (n,), as (classes,); −1 is no label.

    Logit adjustment (Menon et al. 2021, eq. 10): with the prior in the loss, the scores themselves learn to
    be right for classes of equal size. A class without a label counts as if it had one.
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes).clip(min=1)
    return torch.from_numpy(np.log(counts / counts.sum())).float()
