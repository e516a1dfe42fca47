"""The effective receptive field of a unit in the middle, by gradient, at each depth.

Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks", Sec. 2:
the gradient is 1 at the unit in the centre of a layer's output and 0 elsewhere, and it is propagated back to
the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.explain.activations import Array
from kakera.explain.extent import ValidArea
from kakera.model.resnet import ResNet
from kakera.model.token_index import visible_index
from kakera.model.trace import Trace
from kakera.model.vit import ViT

_Centres: TypeAlias = Iterator[tuple[Tensor, tuple[float, float]]]  # Σ_channels y(unit), and its pixel


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """The effective receptive fields of one unit at each depth, and the position of the unit in pixels.

    See `cnn_fields` and `transformer_fields`.

    Example:

        >>> fields = ReceptiveFields(np.full((1, 2, 2), 0.25), np.array([[0.5, 0.5]]))
        >>> fields.distances().round(3).tolist()
        [0.707]
    """

    maps: Array
    """The maps (depth, H, W) of |∂ Σ_channels y(unit) / ∂x|, means over pictures and channels; sums are 1."""
    places: NDArray[np.float64]
    """The row and column of the unit in pixels (depth, 2); the centre of the first pixel is 0."""

    def distances(self, scale: tuple[float, float] = (1.0, 1.0)) -> Array:
        """Return the mean distance from the unit (depth,), weighted by its field, in pixels by default.

        It is the same measure as `attention_distances`, so the two can be compared. `scale` is the size of a
        pixel (down, across).
        """
        down, right = np.indices(self.maps.shape[1:]).astype(np.float64)
        rows, cols = self.places.T[:, :, None, None]
        return (self.maps * np.hypot((down - rows) * scale[0], (right - cols) * scale[1])).sum(axis=(1, 2))


def cnn_fields(model: ResNet, pictures: Float[Tensor, "b c H W"]) -> ReceptiveFields:
    """Return the receptive fields of the unit at the centre: depth 0 is the stem, depth l is block l.

    `pictures` (b, c, H, W) are in the model's input units. The model should be in evaluation mode.

    Example:

        >>> model = ResNet("resnet-nano", channels=1, classes=2, seed=0).eval()
        >>> cnn_fields(model, torch.ones(1, 1, 8, 8)).maps.shape
        (4, 8, 8)
    """

    def centres(x: Tensor) -> _Centres:
        y = model.stem(x)
        for number in range(len(model.layers) + 1):
            y = model.layers[number - 1](y) if number else y
            row, col = y.shape[2] // 2, y.shape[3] // 2
            # Kernels are odd and padded by half, so unit r is at pixel r · stride; strides are powers of two.
            stride = [2 ** round(math.log2(x.shape[axis] / y.shape[axis])) for axis in (2, 3)]
            yield y[:, :, row, col].sum(), (float(row * stride[0]), float(col * stride[1]))

    return _fields(pictures, centres)


def transformer_fields(
    encoder: ViT, pictures: Float[Tensor, "b c H W"], width: int | None = None
) -> ReceptiveFields:
    """Return the receptive fields of the token of the patch at the centre: depth l is z^(l), 0 … L.

    `pictures` (b, c, H, W) are in the model's input units. `width` is the number of pixel columns before
    padding, see `encode`.

    Example:

        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> transformer_fields(encoder, torch.rand(1, 1, 8, 8)).maps.shape
        (4, 8, 8)
    """
    extent, depth = ValidArea.of(encoder, width), encoder.config.depth
    grid, (down, across), (height, side) = extent.grid, encoder.config.step, encoder.config.patch
    row, col, first = grid.rows // 2, grid.cols // 2, encoder.config.prefix_tokens
    place = row * down + (height - 1) / 2, col * across + (side - 1) / 2
    chosen = visible_index(None, extent.padding_mask(len(pictures), pictures.device))

    def centres(x: Tensor) -> _Centres:
        trace = Trace(tokens=range(depth + 1))
        encoder.tokens(x, chosen, None, trace)
        for layer in range(depth + 1):
            yield trace.tokens[layer][:, first + row * grid.cols + col].sum(), place

    return _fields(pictures, centres, extent.width)


def _fields(
    pictures: Tensor, centres: Callable[[Tensor], _Centres], width: int | None = None
) -> ReceptiveFields:
    with torch.enable_grad():
        x = pictures.detach().clone().requires_grad_()
        slopes = [(torch.autograd.grad(y, x, retain_graph=True)[0], place) for y, place in centres(x)]
    maps = torch.stack([slope[..., :width].abs().mean(dim=(0, 1)) for slope, _ in slopes]).double()
    maps = maps / maps.sum(dim=(1, 2), keepdim=True)
    return ReceptiveFields(maps.cpu().numpy(), np.array([place for _, place in slopes]))
