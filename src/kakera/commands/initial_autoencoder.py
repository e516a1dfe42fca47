"""The masked autoencoder at the start of a pretraining: new weights, or those of another encoder."""

from __future__ import annotations

from dataclasses import replace

from kakera.commands.initial_classifier import resized
from kakera.commands.prepare import require_patches
from kakera.errors import OptionError
from kakera.formats.adapt import adapt
from kakera.formats.bundle import Pretrained
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.model.configs import DecoderConfig, ViTConfig, vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.option_fields import or_none
from kakera.training.options import PretrainOptions
from kakera.training.prepared import Prepared


def initial_autoencoder(
    prepared: Prepared, options: PretrainOptions, before: Pretrained | None
) -> tuple[MAE, InputSpec]:
    """Return the masked autoencoder to train and its inputs.

    `before` is the model to start from, or None for new weights. Its encoder keeps its weights and positions.
    The decoder is that of `before` if it predicts the same values of the same patches; otherwise it is new.
    The encoder of `before` becomes part of the new model. Raises OptionError for an encoder that cannot have
    a decoder.
    """
    draws = seeded_generator(options.seed)
    if before is None:
        shape = shape_of(options, None)
        inputs = prepared.inputs(options.image_size, shape.patch, options.seconds)
        encoder = ViT(shape, channels=inputs.channels, image_size=inputs.size, seed=draws)
    else:
        channels = prepared.dataset.channels if before.inputs.sound is None else None
        alone = Pretrained(before.encoder, before.inputs, resampling=before.resampling)
        start = adapt(resized(alone, options), channels=channels)
        encoder, inputs = start.encoder, start.inputs
        if inputs.sound is None:
            inputs = replace(prepared.center_crop(inputs.size).into(inputs), values=prepared.dataset.ranges)
    model = MAE(
        encoder,
        _decoder_of(options, encoder.config),
        mask_ratio=options.mask_ratio,
        norm_pix_loss=options.norm_pix_loss,
        hog_target=options.hog_target,
        global_target=options.global_target,
        token_target=options.token_target,
        seed=draws,
    )
    if before is not None and isinstance(before.model, MAE):
        _keep_decoder(before.model, model)
    return model, inputs


def shape_of(options: PretrainOptions, before: Pretrained | None) -> ViTConfig:
    """Return the configuration of the encoder to train. Raises OptionError.

    Example:

        >>> shape_of(PretrainOptions("pictures", model="nano", patch=(8,)), None).patch
        (8, 8)
    """
    if before is not None:
        return before.encoder.config
    return require_patches(vit_config(options.model), options.patch)


def size_of(options: PretrainOptions, before: Pretrained | None, prepared: Prepared) -> tuple[int, int]:
    """Return the (height, width) of the model input, from headers alone. Raises OptionError."""
    shape = shape_of(options, before)
    if before is None or (before.inputs.sound is not None and or_none(options.seconds)):
        return prepared.size(options.image_size, shape.patch, options.seconds)
    side = or_none(options.image_size)
    return (side, side) if side else before.inputs.size


def require_no_shape(given: dict[str, object], start: str) -> None:
    """Raise OptionError if options describe a network although one is given to start from.

    Example:

        >>> try:
        ...     require_no_shape({"model": "tiny"}, "runs/mae")
        ... except OptionError as error:
        ...     print(error)
        model: got tiny together with init_from, expected one of them; leave it out: runs/mae has its own
    """
    for name in ("model", "patch"):
        if given.get(name) not in (None, "auto"):
            raise OptionError(
                name,
                got=f"{given[name]} together with init_from",
                expected="one of them",
                do=f"leave it out: {start} has its own",
            )


def require_start(given: dict[str, object]) -> None:
    """Raise OptionError for a token target without an encoder to start from.

    Example:

        >>> try:
        ...     require_start({"token_target": 1.0, "init_from": ""})
        ... except OptionError as error:
        ...     print(error)
        token_target: got 1.0 without init_from, expected 0, because new weights have no tokens to learn; ...
    """
    if given.get("token_target") and not given.get("init_from"):
        raise OptionError(
            "token_target",
            got=f"{given['token_target']} without init_from",
            expected="0, because new weights have no tokens to learn",
            do="add --init-from, or leave it out",
        )


def _decoder_of(options: PretrainOptions, shape: ViTConfig) -> DecoderConfig:
    return replace(shape.decoder, cross=options.decoder == "cross")


def _keep_decoder(before: MAE, after: MAE) -> None:
    """Copy the decoder's weights if it has the same shape and the same target as before."""
    kinds = [(each.norm_pix_loss, each.hog_target, each.decoder.config) for each in (before, after)]
    theirs, ours = (each.decoder.state_dict() for each in (before, after))
    same = theirs.keys() == ours.keys() and all(theirs[name].shape == ours[name].shape for name in ours)
    if kinds[0] == kinds[1] and same:
        after.decoder.load_state_dict(theirs)
