"""The classifier that a fine-tuning begins with: a start's encoder with a new head, or from scratch."""

from __future__ import annotations

from dataclasses import replace

from kakera import seeding
from kakera.commands.prepare import require_patches
from kakera.errors import OptionError, sentence
from kakera.formats.adapt import adapt
from kakera.formats.native import Saved, generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import SIZES, ViTConfig, shape_of
from kakera.model.resnet import RESNETS, ResNet, resnet_shape
from kakera.model.vit import ViT
from kakera.option_fields import AUTO, or_none
from kakera.training.options import FinetuneOptions
from kakera.training.prepared import Prepared
from kakera.training.spectrogram_stats import frames


def initial_classifier(prepared: Prepared, options: FinetuneOptions, before: Saved | None) -> Saved:
    """The classifier to train, initialised; the encoder of `before` where there is one."""
    dataset = prepared.dataset
    draws = generator(seeding.key(options.seed, "weights"))
    count = len(dataset.classes)
    if before is None:
        model, inputs = _from_scratch(prepared, options, count)
        model.initialise(draws)
    elif isinstance(before.model, ResNet):
        adapt(before, channels=dataset.channels)
        model, inputs = (
            ResNet(before.model.shape, channels=before.model.channels, classes=count),
            before.inputs,
        )
        weights = {k: v for k, v in before.model.state_dict().items() if not k.startswith("head.")}
        model.load_state_dict(weights, strict=False)
        model.initialise_head(draws)
    else:
        inputs = before.inputs
        side = or_none(options.image_size)
        size = (side, side) if side else inputs.size
        if inputs.sound is not None and options.seconds != AUTO:
            size = (inputs.height, frames(options.seconds, inputs.sound, before.encoder.shape.patch))
            if before.resampling != "cut":  # another end, where a picture gets another size
                before.encoder.recut(size)
                before = replace(before, inputs=replace(inputs, height=size[0], width=size[1]))
        channels = dataset.channels if inputs.sound is None else None
        before = adapt(before, size=size, channels=channels)
        model, inputs = Classifier(before.encoder, count, options.pool), before.inputs
        model.initialise_head(draws)
    if inputs.sound is None:
        inputs = replace(prepared.cropped(inputs.size).into(inputs), values=dataset.ranges)
    return Saved(model, inputs, dataset.classes, dataset.several)


def _from_scratch(
    prepared: Prepared, options: FinetuneOptions, classes: int
) -> tuple[Classifier | ResNet, InputSpec]:
    if options.model in RESNETS:
        inputs = prepared.inputs(options.image_size, (1, 1), options.seconds)
        return ResNet(resnet_shape(options.model), channels=inputs.channels, classes=classes), inputs
    shape = scratch_shape(options)
    inputs = prepared.inputs(options.image_size, shape.patch, options.seconds)
    encoder = ViT(shape, channels=inputs.channels, size=inputs.size)
    return Classifier(encoder, classes, options.pool), inputs


def scratch_shape(options: FinetuneOptions) -> ViTConfig:
    """Of a Transformer from scratch. Raises OptionError."""
    if options.model not in SIZES:
        names = ", ".join([*SIZES, *RESNETS])
        raise OptionError(sentence("model", got=options.model, expected=names, do="choose one of these"))
    return require_patches(shape_of(options.model), options.patch, options.stride)
