"""The line experiment of the lecture (L3): compare raw pixels and learned tokens of shifted lines.

Picture i is black with a white horizontal line in row i. For raw pixels, x_iᵀx_j = 0 for all i ≠ j: a line
that is shifted by one row is as different as a line that is shifted by ten rows. For learned vectors,
similarity should fall with the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.explain.activations import Array
from kakera.explain.similarity import cosine
from kakera.inputs import InputSpec
from kakera.model import patches
from kakera.model.trace import Trace
from kakera.model.vit import ViT

BATCH = 32  # pictures encoded at a time


@dataclass(frozen=True, eq=False)
class LineSimilarity:
    """The similarities of m lines in different rows, for raw pixels and for each layer.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> lines = patch_lines(ViT("nano", channels=1, image_size=8, seed=0), inputs)
        >>> lines.raw.shape, lines.learned.shape, lines.by_distance().shape
        ((4, 4), (4, 4, 4), (4, 4))
    """

    pictures: NDArray[np.uint8]
    """The pictures (m, H, W, c), 0 or 255."""
    raw: Array
    """The products x_iᵀx_j (m, m) of pixels 0 … 1: exactly 0 for different rows."""
    learned: Array
    """The cosines (L + 1, m, m) of z_i − z(black), the change by a line, in layers 0 … L."""

    def by_distance(self) -> Array:
        """Return the mean learned cosine (L + 1, m) of lines with a distance of 0, 1, … m − 1 rows."""
        rows = np.arange(len(self.raw))
        apart = np.abs(rows[:, None] - rows)
        return np.stack([self.learned[:, apart == k].mean(axis=1) for k in rows], axis=1)

    def falls(self) -> Array:
        """Return Spearman's rank correlation of cosine and distance (L + 1,) for lines in different rows.

        A value of −1 means that similarity always falls with the distance.
        """
        above = np.triu_indices(len(self.raw), 1)
        distance = _ranks((above[1] - above[0]).astype(np.float64))
        values = np.stack([_ranks(layer[above]) for layer in self.learned])
        values, distance = values - values.mean(axis=1, keepdims=True), distance - distance.mean()
        scale = np.sqrt((values**2).sum(axis=1) * (distance**2).sum())
        return (values @ distance) / np.where(scale == 0, 1.0, scale)


def patch_lines(encoder: ViT, inputs: InputSpec) -> LineSimilarity:
    """Compare lines through the patch at the centre, one on each of its rows, by the token of that patch.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> patch_lines(ViT("nano", channels=1, image_size=8, seed=0), inputs).falls().shape
        (4,)
    """
    grid, (height, width), (down, across) = encoder.grid, encoder.config.patch, encoder.config.step
    row, col = grid.rows // 2, grid.cols // 2
    box = row * down, col * across, height, width
    return _compare(encoder, inputs, box, [encoder.config.prefix_tokens + row * grid.cols + col])


def picture_lines(encoder: ViT, inputs: InputSpec) -> LineSimilarity:
    """Compare lines through the whole picture, one on each of its rows, by the mean of the patch tokens.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> picture_lines(ViT("nano", channels=1, image_size=8, seed=0), inputs).raw.shape
        (8, 8)
    """
    return _compare(encoder, inputs, (0, 0, *inputs.size), slice(encoder.config.prefix_tokens, None))


def _compare(
    encoder: ViT, inputs: InputSpec, box: tuple[int, int, int, int], read: slice | list[int]
) -> LineSimilarity:
    top, left, height, width = box
    shares = torch.zeros(height + 1, inputs.channels, *inputs.size)  # the last picture stays black
    for row in range(height):
        shares[row, :, top + row, left : left + width] = 1.0
    vectors = patches.patchify(shares[:-1, :, top : top + height, left : left + width], (height, width))
    raw = vectors[:, 0].double().numpy()
    tokens = _tokens(encoder, inputs, inputs.from_unit(shares), read)
    learned = tokens[:, :-1] - tokens[:, -1:]
    shown = (shares[:-1] * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return LineSimilarity(shown, raw @ raw.T, cosine(learned, learned))


@torch.inference_mode()
def _tokens(
    encoder: ViT, inputs: InputSpec, stored: Float[Tensor, "b c H W"], read: slice | list[int]
) -> NDArray[np.float64]:
    """Return the mean over the tokens that `read` selects, (L + 1, b, d)."""
    layers, means = range(encoder.config.depth + 1), list[Tensor]()
    for part in stored.split(BATCH):
        trace = Trace(tokens=layers)
        encoder.tokens(inputs.normalize(part.to(encoder.reference)), None, None, trace)
        means.append(torch.stack([trace.tokens[layer][:, read].double().mean(dim=1) for layer in layers]))
    return torch.cat(means, dim=1).cpu().numpy()


def _ranks(values: Array) -> Array:
    """Return ranks 0, 1, …; equal values get the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]
