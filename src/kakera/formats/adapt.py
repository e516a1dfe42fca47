"""The same weights for pictures of another size, with other channels, or for other classes."""

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
BRIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue in the grey of ITU-R BT.601, which Pillow makes


def adapt(
    saved: Pretrained,
    *,
    size: Size | None = None,
    channels: int | None = None,
    classes: Classes | None = None,
) -> Pretrained:
    """Return `saved` for other inputs and classes; it stays as it is, and the notes of the new one say how.

    Positions of encoder and decoder are resized in two dimensions, as the library does that they come
    from. Another number of channels k shares the sum over the channels there were out evenly: the weights
    of each are Σ/k, so that a picture alike in all channels gives the same tokens. From grey to colour red,
    green and blue get their share of the brightness instead, so that a picture in colour gives the tokens
    of its grey. New classes get a new head. Where nothing changes it is `saved` itself. Raises OptionError.
    """
    sides = saved.inputs.size if size is None else _pair(size)
    count = saved.inputs.channels if channels is None else channels
    if classes is None and (sides, count) == (saved.inputs.size, saved.inputs.channels):
        return saved
    saved = replace(saved, model=copy.deepcopy(saved.model))  # which is changed from here on
    if sides != saved.inputs.size:
        saved = _resized(saved, sides)
    if count != saved.inputs.channels:
        saved = _rechannelled(saved, count)
    return saved if classes is None else _reclassed(saved, classes)


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _noted(saved: Pretrained, note: str) -> tuple[str, ...]:
    return (*saved.notes, note)


def _resized(saved: Pretrained, size: tuple[int, int]) -> Pretrained:
    inputs = saved.inputs
    require_values(inputs.channels, size)
    found = inputs.resized(size)
    saved.model.resize(size, saved.resampling)
    note = f"positions resized from {_times(inputs.size)} to {_times(size)} pixels, {saved.resampling}"
    return replace(saved, inputs=found, notes=_noted(saved, note))


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
        raise OptionError("channels", got=channels, expected="1 or more", do="choose another")
    mae = require_mae(saved).model if saved.model.reconstructs else None
    if mae is not None and mae.hog_target:
        raise OptionError(
            "channels",
            got="a decoder that predicts gradients channel by channel",
            expected="one of pixels, or an encoder",
            do="leave channels out",
        )
    found, weight, shift = _shared_out(saved, channels)
    encoder = saved.encoder
    project = Linear(weight.shape[1], weight.shape[0]).to(weight)
    project.weight.data, project.bias.data = weight, encoder.patches.project.bias.data + shift
    encoder.patches.project, encoder.channels = project, channels
    if mae is not None:
        _share_out_predictions(mae, inputs.channels, channels)
    way = "summed into 1" if channels == 1 else f"shared out evenly among {channels}"
    if (inputs.channels, channels) == (1, 3):
        way = "shared out among red, green and blue as these make up the brightness"
    many = "1 channel" if inputs.channels == 1 else f"{inputs.channels} channels"
    return replace(saved, inputs=found, notes=_noted(saved, f"weights of {many} {way}"))


def _shared_out(saved: Pretrained, channels: int) -> tuple[InputSpec, Tensor, Tensor]:
    """Inputs of mean statistics, the weights of the embedding (d, ph·pw·channels), and what its bias gains.

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
    found = replace(inputs, channels=channels, mean=(mean,) * channels, std=(std,) * channels)
    return found, weight.to(old.dtype), shift.to(old.dtype)


def _share_out_predictions(model: MAE, old: int, channels: int) -> None:
    """Each new channel is predicted as the mean of those there were."""
    before = model.decoder.predict
    weight = rearrange(before.weight.detach(), "(p c) d -> p c d", c=old).mean(dim=1, keepdim=True)
    bias = rearrange(before.bias.detach(), "(p c) -> p c", c=old).mean(dim=1, keepdim=True)
    after = Linear(weight.shape[-1], len(weight) * channels).to(weight)
    after.weight.data = rearrange(weight.expand(-1, channels, -1), "p c d -> (p c) d").contiguous()
    after.bias.data = rearrange(bias.expand(-1, channels), "p c -> (p c)").contiguous()
    model.decoder.predict, model.pixels = after, len(after.bias)


def _reclassed(saved: Pretrained, classes: Classes) -> Pretrained:
    wanted = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
    if len(wanted) < 2:
        raise OptionError("classes", got=len(wanted), expected="two or more", do="name them, or their number")
    model = saved.model.with_head(len(wanted), seed=0)
    model.to(next(saved.model.parameters()))
    note = f"a new head for {len(wanted)} classes, which has learned nothing yet"
    return replace(saved, model=model.eval(), classes=wanted, multi_label=False, notes=_noted(saved, note))
