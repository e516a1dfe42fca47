"""Reading of Dasheng's encoders (Dinkel et al. 2024): files of its own code, and its folders of the hub.

Its batch norm of each mel band is linear in evaluation, so it becomes a part of the patch embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from kakera.errors import OptionError
from kakera.formats import names
from kakera.formats.build import require_numbers, without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.fields import mapping, number, whole
from kakera.formats.foreign import mae, timm
from kakera.formats.foreign.ast_inputs import AXES
from kakera.formats.names import CONVOLUTION, Row, with_prefix
from kakera.formats.wrappers import inside
from kakera.inputs import InputSpec
from kakera.model.configs import BlockConfig, ViTConfig, decoder_for
from kakera.model.vit import ViT
from kakera.sound.spec import SoundSpec

TYPE = "dasheng"  # `model_type` in config.json
TIME, FREQUENCY = "time_pos_embed", "freq_pos_embed"
BATCH_NORM = "init_bn.1"
HEADS = {768: 12, 1280: 16, 1536: 24}  # of the published widths
RATE = 16_000
DECIBEL = 10 / math.log(10)  # of a natural logarithm
EPSILON = 1e-5  # of torch's batch norm
ROWS = (
    Row("positions", TIME, ("1 d 1 t", "t d")),
    Row("patches.project.weight", "patch_embed.proj.weight", CONVOLUTION),
    Row("patches.project.bias", "patch_embed.proj.bias"),
    *with_prefix("layers.{}.", "blocks.{}.", mae.LAYER),
    *(Row(f"layers.{{}}.scale{each}", f"blocks.{{}}.ls{each}.gamma") for each in (1, 2)),
    Row("norm.*", "norm.*"),
)


def is_dasheng(tensors: Mapping[str, Tensor]) -> bool:
    """Return True for tensors with Dasheng's names: positions in a table for each axis.

    Example:

        >>> is_dasheng({"time_pos_embed": torch.zeros(1)})
        True
    """
    return any(name.endswith(TIME) for name in tensors)


def read(tensors: Mapping[str, Tensor], source: str, config: Mapping[str, Any] | None = None) -> Pretrained:
    """Read the encoder, without decoder and head. Raises RunError.

    `config` are the options of the encoder: those in `config.json`, or in a file of Dasheng's own code.

    Example:

        >>> try:
        ...     read({"time_pos_embed": torch.zeros(1, 64, 1, 8)}, "model.pt")
        ... except Exception as error:
        ...     print(error)
        model.pt: got no 'init_bn.1.weight', expected weights named as in Dasheng's code; name another model
    """
    tensors, found = inside(tensors)
    left = {name: t for name, t in tensors.items() if not name.startswith(("front_end.", "outputlayer."))}
    left.pop(f"{BATCH_NORM}.num_batches_tracked", None)
    require_numbers(left, source)
    with without_memory(source, expected="weights named as in Dasheng's code", do="name another model"):
        scale, shift = _batch_norm({name: left.pop(f"{BATCH_NORM}.{name}") for name in _STATISTICS})
        saved = _build(left, scale, shift, config or {})
        both = _positions(left[TIME], left.pop(FREQUENCY))
    encoder = saved.encoder
    left[TIME] = both[..., : encoder.grid.cols]
    axes = {"ph": encoder.config.patch[0], "pw": encoder.config.patch[1], "c": 1}
    mapped = names.read(left, ROWS, source=source, axes=axes)
    _fold(mapped, scale, shift, saved.inputs)
    names.fill(encoder, mapped, ROWS, source=source)
    return Pretrained(encoder, saved.inputs, notes=(*saved.notes, *found), resampling="kept")


_STATISTICS = ("weight", "bias", "running_mean", "running_var")


def _positions(time: Tensor, frequency: Tensor) -> Tensor:
    """Return the sum (1, d, 1, t) of both tables. Raises OptionError for more than one row of patches."""
    if time.shape[:2] != frequency.shape[:2] or frequency.shape[2:] != (1, 1):
        got, expected = f"{FREQUENCY} of {tuple(frequency.shape)}", "one row of patches"
        raise OptionError("positions", got=got, expected=expected, do="name another model")
    return time + frequency


def _batch_norm(values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the factor and the summand of each band (bands,), in float64."""
    weight, bias, mean, variance = (values[name].double() for name in _STATISTICS)
    scale = weight / (variance + EPSILON).sqrt()
    return scale, bias - mean * scale


def _fold(mapped: dict[str, Tensor], scale: Tensor, shift: Tensor, inputs: InputSpec) -> None:
    """Make the batch norm a part of the patch embedding, in place.

    The reference computes W (s ∘ D + t) + b of decibels D, with s and t for each band. With the model's
    inputs x and D = DECIBEL · (std · x + mean), this is (W ∘ s · DECIBEL · std) x + b + W (s · DECIBEL · mean
    + t).
    """
    name = "patches.project"
    stored = mapped[f"{name}.weight"]
    weight = rearrange(stored.double(), "d (bands frames) -> d bands frames", bands=len(scale))
    mean, std = inputs.mean[0], inputs.std[0]
    moved = torch.einsum("d b f, b -> d", weight, scale * DECIBEL * mean + shift)
    weight = weight * (scale * DECIBEL * std)[:, None]
    mapped[f"{name}.weight"] = weight.flatten(1).to(stored.dtype)
    mapped[f"{name}.bias"] = (mapped[f"{name}.bias"].double() + moved).to(stored.dtype)


def _build(
    tensors: Mapping[str, Tensor], scale: Tensor, shift: Tensor, config: Mapping[str, Any]
) -> Pretrained:
    width, _, height, across = tensors["patch_embed.proj.weight"].shape
    columns, options = tensors[TIME].shape[3], mapping("config", config)
    frames = whole("target_length", options.get("target_length", columns * across))
    frames = min(frames // across, columns) * across
    sound = _sound(options, len(scale))
    if height != len(scale):
        got, expected = f"patches of {height} of {len(scale)} bands", "patches of all bands"
        raise OptionError("patches", got=got, expected=expected, do="name another model")
    # Any mean and standard deviation would do: those of all bands keep the inputs near −1 to 1.
    centre, spread = float((-shift / scale).mean()), float((1 / scale.abs()).mean())
    mean, std = round(centre / DECIBEL, 4), round(spread / DECIBEL, 4)
    inputs = InputSpec(1, len(scale), frames, (mean,), (std,), scale=1.0, axes=AXES, sound=sound)
    block = BlockConfig(
        qkv_bias="blocks.0.attn.qkv.bias" in tensors, layer_scale="blocks.0.ls1.gamma" in tensors
    ).ratio_of(tensors["blocks.0.mlp.fc1.weight"].shape[0], width)
    heads = HEADS.get(width) or whole("num_heads", options.get("num_heads") or timm.heads_of(width))
    depth, patch = mae.depth_of(tensors, "blocks."), (height, across)
    shape = ViTConfig(width, depth, heads, patch, decoder_for(width), block, class_tokens=0)
    encoder = ViT(shape, channels=1, image_size=inputs.size, learned=True)
    notes = (
        "Dasheng, detected by its tensor names",
        f"decibels are limited to {sound.top_db:g} below the loudest of each window, not of each batch",
    )
    return Pretrained(encoder, inputs, notes=notes)


def _sound(options: Mapping[str, Any], bands: int) -> SoundSpec:
    """Return the spectrogram: that of torchaudio, in decibels. Raises OptionError for another kind."""
    points = whole("n_fft", options.get("n_fft", 512))
    length, hop = (
        whole("win_size", options.get("win_size", points)),
        whole("hop_size", options.get("hop_size", 160)),
    )
    if length != points or not options.get("center", True):
        got, expected = f"a window of {length} and n_fft {points}", "equal numbers, and centred frames"
        raise OptionError("win_size", got=got, expected=expected, do="name another model")
    return SoundSpec(
        rate=RATE,
        frame=1000 * length / RATE,
        hop=1000 * hop / RATE,
        window="periodic hann",
        preemphasis=0.0,
        centred=False,
        bins=bands,
        low=number("f_min", options.get("f_min", 0)),
        high=number("f_max", options.get("f_max", 8000)),
        floor=1e-10,
        triangles="hertz",
        padded=True,
        top_db=number("top_db", options.get("top_db", 120)),
    )
