"""How far a unit in the middle sees, by gradient: the effective receptive field, depth by depth.

Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks",
Sec. 2: gradient 1 on the unit at the centre of a layer's output, 0 elsewhere, traced back to the pixels.
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
    """Effective receptive fields of one unit at each depth, and the pixel it stands on."""

    maps: Array
    """(depth, H, W): |∂ Σ_channels y(unit) / ∂x|, mean over pictures and channels; each sums to 1."""
    places: NDArray[np.float64]
    """(depth, 2): row and column of the unit in pixels, the first pixel's centre at 0."""

    def distances(self, scale: tuple[float, float] = (1.0, 1.0)) -> Array:
        """(depth,), by default in pixels: mean distance from the unit, weighted with its field.

        The measure of `attention_distances`, so that the two can stand side by side.
        """
        down, right = np.indices(self.maps.shape[1:]).astype(np.float64)
        rows, cols = self.places.T[:, :, None, None]
        return (self.maps * np.hypot((down - rows) * scale[0], (right - cols) * scale[1])).sum(axis=(1, 2))


def cnn_fields(model: ResNet, pictures: Float[Tensor, "b c H W"]) -> ReceptiveFields:
    """Of the unit at the centre: depth 0 is the stem's output, depth l that of block l.

    `pictures` are in the model's input units, the model in evaluation mode.
    """

    def centres(x: Tensor) -> _Centres:
        y = model.stem(x)
        for number in range(len(model.layers) + 1):
            y = model.layers[number - 1](y) if number else y
            row, col = y.shape[2] // 2, y.shape[3] // 2
            # Odd kernels, padded by half: unit r stands on pixel r · stride, and strides are powers of two.
            stride = [2 ** round(math.log2(x.shape[axis] / y.shape[axis])) for axis in (2, 3)]
            yield y[:, :, row, col].sum(), (float(row * stride[0]), float(col * stride[1]))

    return _fields(pictures, centres)


def transformer_fields(
    encoder: ViT, pictures: Float[Tensor, "b c H W"], width: int | None = None
) -> ReceptiveFields:
    """The same of the token of the patch at the centre: depth l is z^(l), 0 … L.

    Of pictures that end after `width` pixels, what is there of them.
    """
    extent, depth = ValidArea.of(encoder, width), encoder.config.depth
    grid, (down, across), (height, side) = extent.grid, encoder.config.step, encoder.config.patch
    row, col = grid.rows // 2, grid.cols // 2
    place = row * down + (height - 1) / 2, col * across + (side - 1) / 2
    chosen = visible_index(None, extent.padding_mask(len(pictures), pictures.device))

    def centres(x: Tensor) -> _Centres:
        trace = Trace(tokens=range(depth + 1))
        encoder.tokens(x, chosen, None, trace)
        for layer in range(depth + 1):
            yield trace.tokens[layer][:, 1 + row * grid.cols + col].sum(), place

    return _fields(pictures, centres, extent.width)


def _fields(
    pictures: Tensor, centres: Callable[[Tensor], _Centres], width: int | None = None
) -> ReceptiveFields:
    with torch.enable_grad():
        x = pictures.detach().clone().requires_grad_()
        found = [(torch.autograd.grad(y, x, retain_graph=True)[0], place) for y, place in centres(x)]
    maps = torch.stack([slope[..., :width].abs().mean(dim=(0, 1)) for slope, _ in found]).double()
    maps = maps / maps.sum(dim=(1, 2), keepdim=True)
    return ReceptiveFields(maps.cpu().numpy(), np.array([place for _, place in found]))
