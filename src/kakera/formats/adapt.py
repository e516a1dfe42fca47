"""Adapt a model to another image size, other channels or other classes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from einops import rearrange
from torch import Tensor

from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.description import require_values
from kakera.inputs import InputSpec
from kakera.model.linear import Linear
from kakera.model.mae import MAE

Size = int | tuple[int, int]
Classes = int | Sequence[str]
BRIGHTNESS = (0.299, 0.587, 0.114)  # shares of red, green and blue in grey: ITU-R BT.601, as in Pillow


def adapt(
    saved: Pretrained,
    *,
    size: Size | None = None,
    channels: int | None = None,
    classes: Classes | None = None,
) -> Pretrained:
    """Return a copy of `saved` for other inputs or classes; notes of the copy describe the changes.

    `size` is in pixels, one number or (height, width); `classes` is a number or names; None changes nothing.
    With a `size`, a model of pictures of any shape becomes one of this size.
    Position embeddings of encoder and decoder are resized in two dimensions by the method of their library.
    With k new channels, each gets the weights Σ/k, where Σ is the sum over the old channels: a picture with
    equal channels has the same tokens as before. From one channel to three, red, green and blue get their
    shares of the brightness instead: a colour picture has the same tokens as its grey version. New classes
    get a new, untrained head. If nothing changes, `saved` itself is returned. Raises OptionError for inputs
    or classes that the model cannot have.

    Example:

        >>> from kakera.model.vit import ViT
        >>> encoder = ViT("nano", channels=1, image_size=8)
        >>> adapted = adapt(Pretrained(encoder, InputSpec(1, 8, 8, (0.5,), (0.5,))), size=16, channels=3)
        >>> adapted.inputs.size, adapted.inputs.channels
        ((16, 16), 3)
    """
    if size is not None:
        saved = with_one_shape(saved)
    sides = saved.inputs.size if size is None else _pair(size)
    count = saved.inputs.channels if channels is None else channels
    if classes is None and (sides, count) == (saved.inputs.size, saved.inputs.channels):
        return saved
    # The copy is changed below. Its tokens differ, so distances from the training files are unknown.
    saved = replace(saved, model=copy.deepcopy(saved.model), rejection=None)
    if sides != saved.inputs.size:
        saved = _resized(saved, sides)
    if count != saved.inputs.channels:
        saved = _rechannelled(saved, count)
    return saved if classes is None else _reclassed(saved, classes)


def with_one_shape(saved: Pretrained) -> Pretrained:
    """Return a copy for the largest centre crop of each picture, of a model of pictures of any shape.

    Other models are returned as they are.

    Example:

        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> with_one_shape(saved) is saved
        True
    """
    inputs = saved.inputs
    if not inputs.any_shape:
        return saved
    # The tokens of a crop are others, so distances from the training files are unknown.
    saved = replace(saved, model=copy.deepcopy(saved.model), rejection=None)
    saved.encoder.config = replace(saved.encoder.config, any_shape=False)
    note = f"each picture is cropped to {_times(inputs.size)} pixels, and not in its own shape"
    return replace(saved, inputs=replace(inputs, any_shape=()), notes=_noted(saved, note))


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _noted(saved: Pretrained, note: str) -> tuple[str, ...]:
    return (*saved.notes, note)


def _resized(saved: Pretrained, size: tuple[int, int]) -> Pretrained:
    inputs = saved.inputs
    require_values(inputs.channels, size)
    resized = inputs.resized(size)
    saved.model.resize(size, saved.resampling)
    note = (
        f"position embeddings resized from {_times(inputs.size)} to {_times(size)} pixels, {saved.resampling}"
    )
    return replace(saved, inputs=resized, notes=_noted(saved, note))


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _rechannelled(saved: Pretrained, channels: int) -> Pretrained:
    inputs = saved.inputs
    if inputs.sound is not None or not saved.model.has_attention:
        got = "a model of recordings" if inputs.sound is not None else "a CNN"
        raise OptionError(
            "channels", got=got, expected="a Vision Transformer of pictures", do="leave channels out"
        )
    if channels < 1:
        raise OptionError("channels", got=channels, expected="1 or more", do="choose another number")
    mae = require_mae(saved).model if saved.model.reconstructs else None
    if mae is not None and mae.hog_target:
        raise OptionError(
            "channels",
            got="a decoder that predicts gradients of each channel",
            expected="a decoder of pixels, or an encoder",
            do="leave channels out",
        )
    adapted, weight, shift = _shared_out(saved, channels)
    encoder = saved.encoder
    project = Linear(weight.shape[1], weight.shape[0]).to(weight)
    project.weight.data, project.bias.data = weight, encoder.patches.project.bias.data + shift
    encoder.patches.project, encoder.channels = project, channels
    if mae is not None:
        _share_out_predictions(mae, inputs.channels, channels)
    way = "summed into 1 channel" if channels == 1 else f"divided evenly among {channels} channels"
    if (inputs.channels, channels) == (1, 3):
        way = "divided among red, green and blue by their shares of the brightness"
    many = "1 channel" if inputs.channels == 1 else f"{inputs.channels} channels"
    return replace(saved, inputs=adapted, notes=_noted(saved, f"weights of {many} {way}"))


def _shared_out(saved: Pretrained, channels: int) -> tuple[InputSpec, Tensor, Tensor]:
    """Return inputs with mean statistics, embedding weights (d, ph·pw·channels) and the shift of its bias.

    With x the value in every channel, Σ_c w_c (x − m_c) / s_c = Σ_k W_k (x − m) / s + shift holds exactly.
    """
    inputs, old = saved.inputs, saved.encoder.patches.project.weight.detach()
    mean, std = (sum(values) / len(values) for values in (inputs.mean, inputs.std))
    means, stds = (torch.tensor(values, dtype=torch.float64) for values in (inputs.mean, inputs.std))
    parts = rearrange(old.double(), "d (p c) -> d p c", c=inputs.channels)
    shift = (parts * (mean - means) / stds).sum(dim=(1, 2))
    shares = BRIGHTNESS if (inputs.channels, channels) == (1, 3) else (1 / channels,) * channels
    total = (parts * std / stds).sum(dim=2, keepdim=True)
    weight = rearrange(total * torch.tensor(shares, dtype=torch.float64), "d p c -> d (p c)").contiguous()
    adapted = replace(inputs, channels=channels, mean=(mean,) * channels, std=(std,) * channels)
    return adapted, weight.to(old.dtype), shift.to(old.dtype)


def _share_out_predictions(model: MAE, old: int, channels: int) -> None:
    """Make the decoder predict the mean of the old channels in each new channel."""
    before = model.decoder.predict
    weight = rearrange(before.weight.detach(), "(p c) d -> p c d", c=old).mean(dim=1, keepdim=True)
    bias = rearrange(before.bias.detach(), "(p c) -> p c", c=old).mean(dim=1, keepdim=True)
    after = Linear(weight.shape[-1], len(weight) * channels).to(weight)
    after.weight.data = rearrange(weight.expand(-1, channels, -1), "p c d -> (p c) d").contiguous()
    after.bias.data = rearrange(bias.expand(-1, channels), "p c -> (p c)").contiguous()
    model.decoder.predict, model.pixels = after, len(after.bias)


def _reclassed(saved: Pretrained, classes: Classes) -> Pretrained:
    names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
    if len(names) < 2:
        raise OptionError("classes", got=len(names), expected="two or more", do="list the names, or a number")
    model = saved.model.with_head(len(names), seed=0)
    model.to(next(saved.model.parameters()))
    note = f"a new, untrained head for {len(names)} classes"
    changed = {"classes": names, "multi_label": False, "thresholds": (), "targets": None}
    return replace(saved, model=model.eval(), **changed, notes=_noted(saved, note))
