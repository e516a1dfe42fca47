"""The classifier at the start of a fine-tuning: a pretrained encoder with a new head, or all new weights."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from kakera import seeding
from kakera.commands.prepare import require_patches
from kakera.errors import OptionError
from kakera.formats.adapt import adapt, with_one_shape
from kakera.formats.bundle import Pretrained, WithHead
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import RESNETS, SIZES, ViTConfig, vit_config
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.option_fields import AUTO, or_none
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.prepared import Prepared
from kakera.training.spectrogram_stats import frames


def initial_classifier(
    prepared: Prepared, options: FinetuneOptions, before: Pretrained | None
) -> Pretrained[WithHead]:
    """Return the classifier to train, with the encoder of `before`, or with new weights if it is None.

    For regression it has one output for each target, and no scale of the targets yet.
    """
    dataset = prepared.dataset
    draws = seeded_generator(seeding.key(options.seed, "weights"))
    count = len(dataset.classes)
    if before is None:
        model, inputs = _from_scratch(prepared, options, count, draws)
    else:
        channels = dataset.channels if before.inputs.sound is None else None
        before = adapt(resized(before, options), channels=channels)
        model, inputs = before.model.with_head(count, options.pool, draws), before.inputs
    if inputs.sound is None:
        inputs = replace(prepared.center_crop(inputs.size).into(inputs), values=dataset.ranges)
    saved = Pretrained(model, inputs, dataset.classes, dataset.multi_label)
    return replace(saved, license=before.license, resampling=before.resampling) if before else saved


def resized(before: Pretrained, options: FinetuneOptions | PretrainOptions) -> Pretrained:
    """Return a model for the requested picture size or length of recordings; a CNN stays as it is.

    A model of pictures of any shape is trained on centre crops of one size.
    """
    inputs = before.inputs
    if not before.model.has_attention:
        return before
    if inputs.sound is None or options.seconds == AUTO:
        return adapt(with_one_shape(before), size=or_none(options.image_size))
    size = (inputs.height, frames(options.seconds, inputs.sound, before.encoder.config.patch))
    if before.resampling in ("cut", "kept") or size == inputs.size:
        return adapt(before, size=size)
    # A picture is resized, but a recording becomes shorter or longer: crop the positions, not resample them.
    before = replace(before, model=copy.deepcopy(before.model))
    before.encoder.crop_positions(size)
    return replace(before, inputs=replace(inputs, height=size[0], width=size[1]))


def _from_scratch(
    prepared: Prepared, options: FinetuneOptions, classes: int, draws: torch.Generator
) -> tuple[WithHead, InputSpec]:
    if options.model in RESNETS:
        inputs = prepared.inputs(options.image_size, (1, 1), options.seconds)
        model = ResNet(options.model, channels=inputs.channels, classes=classes, seed=draws)
        return model, inputs
    shape = scratch_shape(options)
    inputs = prepared.inputs(options.image_size, shape.patch, options.seconds)
    encoder = ViT(shape, channels=inputs.channels, image_size=inputs.size, seed=draws)
    return Classifier(encoder, classes, options.pool, seed=draws), inputs


def scratch_shape(options: FinetuneOptions) -> ViTConfig:
    """Return the configuration of a Vision Transformer to train from scratch. Raises OptionError.

    Example:

        >>> scratch_shape(FinetuneOptions("pictures", model="nano", patch=(8,))).patch
        (8, 8)
    """
    if options.model not in SIZES:
        names = ", ".join([*SIZES, *RESNETS])
        raise OptionError("model", got=options.model, expected=names, do="choose one of these")
    return require_patches(vit_config(options.model), options.patch, options.stride)
