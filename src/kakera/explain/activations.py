"""The tokens and attention of one picture: a model encodes it once, and other functions read these arrays."""

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
"""A special layer number: the raw patch vectors x_i, before any weight."""


@dataclass(frozen=True, eq=False)
class Activations:
    """The tokens and the attention of one picture in all layers, as read-only arrays.

    Numbers are those of the lecture: layers and heads count from 1, token 0 is the class token, and tokens 1
    … N are the patches. Layer 0 is the input of the first layer; −1 is the last layer. With several class
    tokens, token 0 is their mean; without one, it is the mean of the patches. See `encode`.

    Example:

        >>> from kakera.model.vit import ViT
        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> activations = encode(encoder, inputs, torch.zeros(1, 8, 8))
        >>> activations.depth, activations.heads, activations.tokens_of(-1).shape
        (3, 2, (5, 64))
    """

    picture: NDArray[np.uint8]
    """The picture (H, W, c), 0 … 255."""
    grid: Grid
    """The grid of patches without padding, see `encode`."""
    patch: tuple[int, int]
    """The patch size (height, width) in pixels."""
    step: tuple[int, int]
    """Pixels from one patch to the next (down, across): the patch size, unless patches overlap."""
    axes: Axes
    """The meaning of the rows and columns of the picture."""
    vectors: Array
    """The patch vectors x_i (N, ph · pw · c) (lecture L2), scaled to 0 … 1."""
    tokens: Array
    """The tokens z^(0) … z^(L), (L + 1, t + N, d), before the final norm; t = `prefix_tokens`."""
    attention: Array
    """The attention a_ij of layers 1 … L, (L, heads, t + N, t + N); rows sum to 1 (lecture L5 ②)."""
    class_tokens: int = 1
    """The number of class tokens, which come first."""
    prefix_tokens: int = 1
    """The number of tokens before the patches: class tokens and registers."""

    @property
    def token_zero(self) -> str:
        """The name of token 0, in words."""
        return token_zero(self.class_tokens)

    def to_patches(self, attention: Array) -> Array:
        """Return the attention (…, 1 + N, N) of token 0 and each patch to the patches.

        `attention` is (…, t + N, t + N).
        """
        columns = attention[..., self.prefix_tokens :]
        if self.class_tokens == self.prefix_tokens == 1:
            return columns
        patches = columns[..., self.prefix_tokens :, :]
        first = columns[..., : self.class_tokens, :] if self.class_tokens else patches
        return np.concatenate([first.mean(axis=-2, keepdims=True), patches], axis=-2)

    @property
    def depth(self) -> int:
        """The number of layers L."""
        return len(self.attention)

    @property
    def heads(self) -> int:
        """The number of heads of a layer."""
        return self.attention.shape[1]

    def attention_of(self, layer: int) -> Array:
        """Return the attention (heads, t + N, t + N) of a layer 1 … L, or −1 for the last.

        Raises OptionError for another layer.
        """
        return self.attention[self._layer(layer, 1) - 1]

    def tokens_of(self, layer: int) -> Array:
        """Return the tokens z^(layer), (t + N, d), of a layer 0 … L, or −1 for the last.

        Raises OptionError for another layer.
        """
        return self.tokens[self._layer(layer, 0)]

    def patches_of(self, layer: int) -> Array:
        """Return the patch tokens (N, d) of a layer, or the patch vectors x_i if `layer` is `RAW`.

        Raises OptionError for another layer.
        """
        return self.vectors if layer == RAW else self.tokens_of(layer)[self.prefix_tokens :]

    def token(self, number: int) -> int:
        """Return a token number 0 … N unchanged. Raises OptionError for another number."""
        return require_between("token", number, 0, self.grid.count)

    def head(self, number: int) -> int:
        """Return the array index of head 1 … H. Raises OptionError for another number."""
        return require_between("head", number, 1, self.heads) - 1

    def _layer(self, number: int, least: int) -> int:
        return self.depth if number == -1 else require_between("layer", number, least, self.depth)

    def on_grid(self, values: Array) -> Array:
        """Return values (…, N) as (…, rows, cols)."""
        return values.reshape(*values.shape[:-1], self.grid.rows, self.grid.cols)


@torch.inference_mode()
def encode(
    encoder: ViT,
    inputs: InputSpec,
    picture: Num[Tensor, "c H W"],
    width: int | None = None,
    start: float = 0.0,
) -> Activations:
    """Encode a picture once, and return the tokens and the attention of every layer.

    `picture` (c, H, W) has stored values (0 … scale, or log-mel). `width` is the number of pixel columns
    before padding; only patches that begin before it are used, and None uses all. `start` is the position of
    the first column, for the axes. The attention comes from the formula, while the model uses its own faster
    method, see `Trace`. Raises OptionError if channels or size are not those of the model.

    Example:

        >>> from kakera.model.vit import ViT
        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> encode(encoder, inputs, torch.zeros(1, 8, 8)).attention.shape
        (3, 2, 5, 5)
    """
    depth, extent = encoder.config.depth, ValidArea.of(encoder, width, (picture.shape[1], picture.shape[2]))
    trace = Trace(attention=range(1, depth + 1), tokens=range(depth + 1))
    batch = picture.unsqueeze(0).to(encoder.reference)
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
        encoder.config.class_tokens,
        encoder.config.prefix_tokens,
    )


def token_zero(class_tokens: int) -> str:
    """Return in words what token 0 of `Activations` is, for a number of class tokens.

    Example:

        >>> token_zero(1), token_zero(0)
        ('class token', 'mean of the patches')
    """
    several = "mean of the class tokens" if class_tokens else "mean of the patches"
    return "class token" if class_tokens == 1 else several


def as_bytes(shares: Num[Tensor, "*b c H W"]) -> NDArray[np.uint8]:
    """Return values 0 … 1, (…, c, H, W), as uint8 (…, H, W, c); other values become black or white.

    Example:

        >>> as_bytes(torch.full((1, 2, 2), 0.5)).shape
        (2, 2, 1)
    """
    values = (shares.detach().float() * 255).round().clamp(0, 255).to(torch.uint8)
    return rearrange(values, "... c H W -> ... H W c").cpu().numpy()


def require_between(name: str, number: int, least: int, most: int) -> int:
    """Return the number if it is from `least` to `most`. Raises OptionError otherwise.

    Example:

        >>> require_between("layer", 3, 1, 12)
        3
    """
    if not least <= number <= most:
        raise OptionError(name, got=number, expected=f"{least} to {most}", do="choose a number in this range")
    return number


def _frozen(values: Tensor) -> Array:
    array = values.cpu().numpy()
    array.flags.writeable = False
    return array
