"""What is learned: to guess hidden patches, or to name what a picture shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kakera import seeding
from kakera.data.loader import Batch
from kakera.frontend import FrontEnd
from kakera.inputs import InputSpec
from kakera.masking import MASKINGS, PatchIds, choose_subset_ids
from kakera.model.attention import drop_path_factors
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.token_index import MaskIndex, TokenIndex
from kakera.training.batch_augment import distort, mix, mix_waves, time_freq_masked
from kakera.training.options import FinetuneOptions, PretrainOptions


@dataclass(frozen=True)
class Masks:
    """Draws the masks of a batch: that of a picture depends on (seed, epoch, picture) alone.

    Called where the batch is read, on the CPU, in any process.
    """

    front: FrontEnd
    options: PretrainOptions

    def __call__(self, batch: Batch) -> MaskIndex:
        """Return the index tensors of a batch on the CPU; padding of recordings follows from `lengths`."""
        options, front = self.options, self.front
        padding_mask = front.padding(front.widths(batch.lengths))
        gone = None if padding_mask is None else padding_mask.numpy()
        split = MASKINGS[options.masking].split_ids(
            self._noise(batch, "mask"), front.grid, options.mask_ratio, gone
        )
        wanted = split.hidden
        if options.predicted < 1:
            wanted = choose_subset_ids(self._noise(batch, "predicted"), wanted, options.predicted)
        return MaskIndex.joined(_tensors(split.visible), _tensors(wanted), padding_mask)

    def _noise(self, batch: Batch, purpose: str) -> NDArray[np.float64]:
        samples = batch.samples.numpy()
        return seeding.uniform(self.options.seed, batch.epoch, samples, purpose, self.front.grid.count)


def _tensors(places: PatchIds) -> TokenIndex:
    padding = None if places.padding is None else torch.from_numpy(places.padding)
    return TokenIndex(torch.from_numpy(places.ids), padding)


class Pretraining:
    """Guess hidden patches, those that the batch's mask names."""

    def __init__(self, model: MAE, inputs: InputSpec, options: PretrainOptions) -> None:
        self.model = model
        self.front = FrontEnd.of(model, inputs)
        self.masks = Masks(FrontEnd.of(model, inputs), options)

    def weight(self, batch: Batch) -> float:
        """Of recordings the patches to guess, which are fewer in short ones; of pictures the pictures."""
        if batch.lengths is None:
            return len(batch.samples)
        return float(self._mask(batch).predicted.total)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Squared error on the hidden patches, or on those that are to be predicted."""
        return model(self.front.pixels(batch.pictures, batch.lengths), self._mask(batch))

    def _mask(self, batch: Batch) -> MaskIndex:
        """That of the batch, or drawn now where its reader drew none."""
        return batch.mask if isinstance(batch.mask, MaskIndex) else self.masks(batch)


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
        multi_label: bool,
        labels: NDArray[Any] | None = None,
    ) -> None:
        self.model = model
        self.depth = model.drop_path_layers
        self.classes, self.inputs, self.options, self.multi_label = (
            model.classes,
            inputs,
            options,
            multi_label,
        )
        self.front = FrontEnd.of(model, inputs)
        self._seen = self._pictures if inputs.sound is None else self._spectrograms
        self.adjustment: Tensor | None = None
        if options.class_balance and labels is not None and not multi_label:
            self.adjustment = options.class_balance * log_prior(labels, self.classes)

    def weight(self, batch: Batch) -> float:
        """Each sample counts the same."""
        return len(batch.samples)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Of a batch after mixing, erasing and RandAugment; of recordings after mixing and stripes."""
        assert batch.labels is not None
        pixels, padding, targets = self._seen(batch, self._targets(batch.labels))
        drop_path = self._survive(batch).to(pixels.device) if self.depth and self.options.drop_path else None
        logits = model(pixels, drop_path, padding_mask=padding)
        if self.multi_label:
            return functional.binary_cross_entropy_with_logits(logits, targets)
        if self.adjustment is not None:
            logits = logits + self.adjustment.to(logits.device)
        return functional.cross_entropy(logits, targets)

    def _pictures(self, batch: Batch, targets: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        pictures = distort(batch.pictures / self.inputs.scale, self.options, batch.step, batch.places)
        pictures = self.inputs.normalize(pictures * self.inputs.scale)
        pixels, targets = mix(pictures, targets, self.options, batch.step, batch.partners)
        return pixels, None, targets

    def _spectrograms(self, batch: Batch, targets: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        assert self.inputs.sound is not None
        options = self.options
        batch, targets = mix_waves(batch, targets, options)
        pixels, padding = self.front(batch.pictures, batch.lengths)
        if options.time_mask or options.freq_mask:
            frames = round(options.time_mask * 1000 / self.inputs.sound.hop)
            pixels = time_freq_masked(pixels, batch, options.seed, bands=options.freq_mask, frames=frames)
        return pixels, padding, targets

    def _targets(self, labels: Tensor) -> Tensor:
        if self.multi_label:
            return labels.float()
        hot = functional.one_hot(labels, self.classes).float()
        return hot * (1 - self.options.label_smoothing) + self.options.label_smoothing / self.classes

    def _survive(self, batch: Batch) -> Tensor:
        noise = seeding.uniform(
            self.options.seed, batch.epoch, batch.samples.numpy(), "drop-path", 2 * self.depth
        )
        return drop_path_factors(torch.from_numpy(noise).float(), self.options.drop_path, self.depth)


def log_prior(labels: NDArray[Any], classes: int) -> Tensor:
    """Return the logarithm of each class's share of the labels (n,), as (classes,); −1 is no label.

    Logit adjustment (Menon et al. 2021, eq. 10): with the prior in the loss, the logits themselves learn to
    be right for classes of equal size. A class without a label counts as if it had one.
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes).clip(min=1)
    return torch.from_numpy(np.log(counts / counts.sum())).float()
