"""The lecture's lines (L3): why raw pixels make bad tokens, and what a model makes of them.

Picture i is black with a white horizontal line on row i. Raw, x_iᵀx_j = 0 for all i ≠ j: a line moved by
one row is as different as a line moved by ten. Learned vectors should fall off with the distance.
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
    """Lines on m rows, compared raw and as each layer sees them."""

    pictures: NDArray[np.uint8]
    """(m, H, W, c), 0 or 255."""
    raw: Array
    """(m, m): x_iᵀx_j, in shares of the range: exactly 0 for different rows."""
    learned: Array
    """(L + 1, m, m): cosines of what the lines add to a token, z_i − z(black), layers 0 … L."""

    def by_distance(self) -> Array:
        """(L + 1, m): mean learned cosine of lines 0, 1, … m − 1 rows apart."""
        rows = np.arange(len(self.raw))
        apart = np.abs(rows[:, None] - rows)
        return np.stack([self.learned[:, apart == k].mean(axis=1) for k in rows], axis=1)

    def falls(self) -> Array:
        """(L + 1,): Spearman's rank correlation of cosine and distance, different rows; −1: falls always."""
        above = np.triu_indices(len(self.raw), 1)
        distance = _ranks((above[1] - above[0]).astype(np.float64))
        values = np.stack([_ranks(layer[above]) for layer in self.learned])
        values, distance = values - values.mean(axis=1, keepdims=True), distance - distance.mean()
        scale = np.sqrt((values**2).sum(axis=1) * (distance**2).sum())
        return (values @ distance) / np.where(scale == 0, 1.0, scale)


def patch_lines(encoder: ViT, inputs: InputSpec) -> LineSimilarity:
    """A line through the patch at the centre, on each of its rows; compared is the token of that patch."""
    grid, (height, width), (down, across) = encoder.grid, encoder.config.patch, encoder.config.step
    row, col = grid.rows // 2, grid.cols // 2
    box = row * down, col * across, height, width
    return _compare(encoder, inputs, box, slice(1 + row * grid.cols + col, None, grid.count + 1))


def picture_lines(encoder: ViT, inputs: InputSpec) -> LineSimilarity:
    """A line through the whole picture, on each of its rows; compared is the mean of the patches' tokens."""
    return _compare(encoder, inputs, (0, 0, *inputs.size), slice(1, None))


def _compare(encoder: ViT, inputs: InputSpec, box: tuple[int, int, int, int], read: slice) -> LineSimilarity:
    top, left, height, width = box
    shares = torch.zeros(height + 1, inputs.channels, *inputs.size)  # the last stays black
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
    encoder: ViT, inputs: InputSpec, stored: Float[Tensor, "b c H W"], read: slice
) -> NDArray[np.float64]:
    """(L + 1, b, d): the mean over the tokens that are read."""
    layers, found = range(encoder.config.depth + 1), list[Tensor]()
    for part in stored.split(BATCH):
        trace = Trace(tokens=layers)
        encoder.tokens(inputs.normalize(part.to(encoder.class_token)), None, None, trace)
        found.append(torch.stack([trace.tokens[layer][:, read].double().mean(dim=1) for layer in layers]))
    return torch.cat(found, dim=1).cpu().numpy()


def _ranks(values: Array) -> Array:
    """Ranks 0, 1, …; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]
