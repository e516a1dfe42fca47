"""One picture as a model sees it, encoded once: every question about it is answered from these arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Num
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import OptionError
from kakera.explain.axes import Axes, axes_of
from kakera.explain.extent import ValidArea
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model import patches
from kakera.model.token_index import visible_index
from kakera.model.trace import Trace
from kakera.model.vit import ViT

Array: TypeAlias = NDArray[np.floating[Any]]
RAW = -100
"""In place of a layer: the raw patch vectors x_i, before any weight."""


@dataclass(frozen=True, eq=False)
class Activations:
    """Numbers as in the lecture: layers and heads from 1, token 0 is the class token, 1 … N the patches.

    Layer 0 is what enters the first layer, −1 the last layer. The arrays are read-only.
    """

    picture: NDArray[np.uint8]
    """(H, W, c), 0 … 255."""
    grid: Grid
    """Of the patches that are there: see `look`."""
    patch: tuple[int, int]
    step: tuple[int, int]
    """Pixels from one patch to the next, down and across: the patch, but where patches overlap."""
    axes: Axes
    """What rows and columns of the picture mean."""
    vectors: Array
    """(N, ph · pw · c), the patch vectors x_i (lecture L2) as shares of the range, 0 … 1."""
    tokens: Array
    """(L + 1, 1 + N, d), z^(0) … z^(L), before the final norm."""
    attention: Array
    """(L, heads, 1 + N, 1 + N), a_ij of layers 1 … L; rows sum to 1 (lecture L5 ②)."""

    @property
    def depth(self) -> int:
        """L, the number of layers."""
        return len(self.attention)

    @property
    def heads(self) -> int:
        """How many heads a layer has."""
        return self.attention.shape[1]

    def attention_of(self, layer: int) -> Array:
        """(heads, 1 + N, 1 + N) of a layer 1 … L, or −1 for the last. Raises OptionError."""
        return self.attention[self._layer(layer, 1) - 1]

    def tokens_of(self, layer: int) -> Array:
        """(1 + N, d), z^(layer), 0 … L, or −1 for the last. Raises OptionError."""
        return self.tokens[self._layer(layer, 0)]

    def patches_of(self, layer: int) -> Array:
        """(N, …): the patches' tokens of a layer, or with `RAW` their vectors x_i. Raises OptionError."""
        return self.vectors if layer == RAW else self.tokens_of(layer)[1:]

    def token(self, number: int) -> int:
        """The number itself, 0 … N. Raises OptionError."""
        return require_between("token", number, 0, self.grid.count)

    def head(self, number: int) -> int:
        """Where head 1 … H stands in an array. Raises OptionError."""
        return require_between("head", number, 1, self.heads) - 1

    def _layer(self, number: int, least: int) -> int:
        return self.depth if number == -1 else require_between("layer", number, least, self.depth)

    def on_grid(self, values: Array) -> Array:
        """(…, N) as (…, rows, cols)."""
        return values.reshape(*values.shape[:-1], self.grid.rows, self.grid.cols)


@torch.inference_mode()
def encode(
    encoder: ViT,
    inputs: InputSpec,
    picture: Num[Tensor, "c H W"],
    width: int | None = None,
    start: float = 0.0,
) -> Activations:
    """Encode a picture of stored values (0 … scale, or log-mel) once and keep what every layer saw.

    A picture that ends after `width` pixels is seen as what is there of it: the columns of patches up to its
    end, and no others; `start` is where its columns begin, for the axes. The attention is that of the
    formula, beside the model's own way: see `Trace`. Raises OptionError where channels or size are not the
    model's, or the model has registers, whose attention has no place here.
    """
    require_no_registers(encoder)
    depth, extent = encoder.config.depth, ValidArea.of(encoder, width)
    trace = Trace(attention=range(1, depth + 1), tokens=range(depth + 1))
    batch = picture.unsqueeze(0).to(encoder.class_token)
    chosen = visible_index(None, extent.padding_mask(1, batch.device))
    encoder.tokens(inputs.normalize(batch), chosen, None, trace)
    shares = inputs.to_unit(batch)[..., : extent.width]
    return Activations(
        as_bytes(shares)[0],
        extent.grid,
        encoder.config.patch,
        encoder.config.step,
        axes_of(inputs, extent.width, start),
        _frozen(patches.patchify(shares, encoder.config.patch, encoder.config.stride)[0]),
        _frozen(torch.cat([trace.tokens[layer] for layer in range(depth + 1)])),
        _frozen(torch.cat([trace.attention[layer] for layer in range(1, depth + 1)])),
    )


def require_no_registers(encoder: ViT) -> None:
    """Raises OptionError for an encoder with tokens that are neither class token nor patch."""
    if encoder.config.registers:
        raise OptionError(
            "model",
            got=f"{encoder.config.registers} registers or distillation tokens",
            expected="a class token and patches only",
            do="look into another model",
        )


def as_bytes(shares: Num[Tensor, "*b c H W"]) -> NDArray[np.uint8]:
    """Values 0 … 1 as bytes, channels last; what lies outside becomes black or white."""
    values = (shares.detach().float() * 255).round().clamp(0, 255).to(torch.uint8)
    return rearrange(values, "... c H W -> ... H W c").cpu().numpy()


def require_between(name: str, number: int, least: int, most: int) -> int:
    """The number, if it lies within the limits. Raises OptionError."""
    if not least <= number <= most:
        raise OptionError(name, got=number, expected=f"{least} to {most}", do="choose one of these")
    return number


def _frozen(values: Tensor) -> Array:
    array = values.cpu().numpy()
    array.flags.writeable = False
    return array
