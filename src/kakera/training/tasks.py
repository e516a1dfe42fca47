"""The learning tasks: prediction of hidden patches, and classification."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kakera import seeding
from kakera.data.loader import Batch
from kakera.frontend import FrontEnd
from kakera.inputs import InputSpec
from kakera.masking import MASKINGS
from kakera.model.attention import drop_path_factors
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.token_index import MaskIndex
from kakera.training.batch_augment import distort, mix, mix_waves, time_freq_masked
from kakera.training.class_shares import class_weights, log_prior
from kakera.training.engine import precision_of
from kakera.training.frozen_start import FrozenStart
from kakera.training.losses import classification_loss
from kakera.training.masks import Masks
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.ordinal import ordinal_targets


class Pretraining:
    """The pretraining task: predict the hidden patches of a batch.

    With a token head, the task must be made before training, because it keeps a copy of the encoder.

    Example:

        >>> inputs, model = InputSpec(1, 8, 8, (0.5,), (0.5,)), MAE("nano", channels=1, image_size=8, seed=0)
        >>> batch = Batch(torch.zeros(2, 1, 8, 8), None, torch.arange(2), epoch=0, step=0)
        >>> Pretraining(model, inputs, PretrainOptions("pictures")).loss(model, batch).shape
        torch.Size([])
    """

    def __init__(self, model: MAE, inputs: InputSpec, options: PretrainOptions) -> None:
        self.model = model
        self.front = FrontEnd.of(model, inputs)
        self.masks = Masks(FrontEnd.of(model, inputs), options)
        self.frozen: FrozenStart | None = None
        if model.token_head is not None:
            self.frozen = FrozenStart(model.encoder, bf16=precision_of(options).startswith("bf16"))

    def weight(self, batch: Batch) -> float:
        """Return the weight of a batch: the number of pictures, or of predicted patches of recordings.

        Short recordings have fewer predicted patches.
        """
        if batch.lengths is None:
            return len(batch.samples)
        return float(self._mask(batch).predicted.total)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean squared error on the predicted patches (all hidden ones, or a part of them).

        With a token target, the frozen start reads the same pictures.
        """
        pixels, mask = self.front.pixels(batch.pictures, batch.lengths), self._mask(batch)
        tokens = None if self.frozen is None else self.frozen.tokens(pixels, mask)
        return model(pixels, mask, tokens=tokens)

    def _mask(self, batch: Batch) -> MaskIndex:
        """Return the mask of the batch; draw it if the data loader drew none."""
        return batch.mask if isinstance(batch.mask, MaskIndex) else self.masks(batch)


class Classification:
    """The classification task: the loss of the options on soft targets, by default the cross entropy.

    `labels` are those of all training files; `class_balance` adjusts the logits for their shares, and
    `class_weight` weights the classes by them.

    Example:

        >>> inputs, options = InputSpec(1, 8, 8, (0.5,), (0.5,)), FinetuneOptions("pictures")
        >>> model = Classifier("nano", 3, channels=1, image_size=8, seed=0)
        >>> batch = Batch(torch.zeros(2, 1, 8, 8), torch.tensor([0, 2]), torch.arange(2), epoch=0, step=0)
        >>> Classification(model, inputs, options, multi_label=False).loss(model, batch).shape
        torch.Size([])
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
        self.ranks: tuple[int, ...] = ()  # of ordered classes
        self.stored_layers = 0  # with these lowest layers, `pictures` of a batch are the tokens after them
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
        self.class_weights: Tensor | None = None
        if options.class_weight and labels is not None:
            self.class_weights = class_weights(labels, self.classes, options.class_weight)

    def weight(self, batch: Batch) -> float:
        """Return the number of samples: each sample has the same weight."""
        return len(batch.samples)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss of a batch after augmentation.

        Pictures get RandAugment, random erasing and mixup or CutMix; recordings get mixup and SpecAugment.
        With stored tokens (`FrozenTokens`) nothing is random before them.
        """
        if self.stored_layers:
            assert batch.labels is not None
            _, drop_path = self.dropped(batch, batch.pictures, None)
            logits = model(batch.pictures, drop_path, after=self.stored_layers)
            return self.loss_of(logits, self.targets(batch.labels))
        pixels, padding, drop_path, targets = self.inputs_of(batch)
        return self.loss_of(model(pixels, drop_path, padding_mask=padding), targets)

    def inputs_of(self, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor]:
        """Return pixels, padding mask and stochastic depth for the model, and the targets, augmented."""
        assert batch.labels is not None
        pixels, padding, targets = self._seen(batch, self.targets(batch.labels))
        return pixels, *self.dropped(batch, pixels, padding), targets

    def dropped(
        self, batch: Batch, pixels: Tensor, padding: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the padding mask with the dropped patches, and the factors of stochastic depth."""
        if self.options.patch_dropout and self.model.has_attention:
            padding = self._without_dropped(batch, padding)
        drop_path = self._survive(batch).to(pixels.device) if self.depth and self.options.drop_path else None
        return padding, drop_path

    def loss_of(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits (b, classes) for soft targets (b, classes)."""
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        if self.adjustment is not None:
            logits = logits + self.adjustment.to(logits.device)
        return classification_loss(
            logits, targets, self.options, multi_label=self.multi_label, weights=weights
        )

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

    def _without_dropped(self, batch: Batch, padding: Tensor | None) -> Tensor:
        """Return a padding mask that also leaves out random patches (Liu et al. 2022, PatchDropout)."""
        grid, options = self.front.grid, self.options
        noise = seeding.uniform(options.seed, batch.epoch, batch.samples.numpy(), "patch-dropout", grid.count)
        known = None if padding is None else padding.cpu().numpy()
        dropped = torch.from_numpy(MASKINGS["random"](noise, grid, options.patch_dropout, known))
        return dropped if padding is None else padding | dropped.to(padding.device)

    def targets(self, labels: Tensor) -> Tensor:
        """Return the soft targets (b, classes) of labels (b,), or of multi-label ones (b, classes)."""
        if self.multi_label:
            return labels.float()
        hot = (
            ordinal_targets(labels, self.ranks)
            if self.ranks
            else functional.one_hot(labels, self.classes).float()
        )
        return hot * (1 - self.options.label_smoothing) + self.options.label_smoothing / self.classes

    def _survive(self, batch: Batch) -> Tensor:
        noise = seeding.uniform(
            self.options.seed, batch.epoch, batch.samples.numpy(), "drop-path", 2 * self.depth
        )
        return drop_path_factors(torch.from_numpy(noise).float(), self.options.drop_path, self.depth)
