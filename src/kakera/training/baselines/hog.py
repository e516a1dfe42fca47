"""Histograms of oriented gradients (HOG, Dalal and Triggs 2005) for small pictures of the same size.

As in the paper: square roots of the values (Sec. 6.1); centred differences without smoothing, from the colour
with the largest gradient (6.2); nine orientations over 180 degrees, with votes divided between the two
nearest (6.3); overlapping blocks of 2 x 2 cells, each normalised, clipped at 0.2 and normalised again (6.4,
L2-Hys). Unlike the paper, votes are not divided between neighbouring cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ORIENTATIONS = 9
CELL = 8  # pixels
CLIP = 0.2
LEAST = 1e-3  # added to a norm, so that flat blocks stay near zero


def hog(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return HOG features (n, d) of pictures (n, H, W, c).

    H and W are multiples of `CELL` (8 pixels), at least 16.

    Example:

        >>> hog(np.zeros((1, 16, 16, 3), np.uint8)).shape
        (1, 36)
    """
    cells = histograms(np.sqrt(pictures.astype(np.float32) / 255))
    blocks = np.concatenate(
        [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]], axis=-1
    )
    blocks = _unit(np.minimum(_unit(blocks), CLIP))
    return blocks.reshape(len(pictures), -1)


def histograms(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms of gradients (n, H / CELL, W / CELL, ORIENTATIONS) of values (n, H, W, c).

    Example:

        >>> histograms(np.zeros((1, 16, 8, 1), np.float32)).shape
        (1, 2, 1, 9)
    """
    count, height, width, _ = values.shape
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    length = np.hypot(across, down)
    longest = length.argmax(axis=-1)[..., None]
    across, down, length = (np.take_along_axis(a, longest, axis=-1)[..., 0] for a in (across, down, length))
    place = np.mod(np.arctan2(down, across) / np.pi * ORIENTATIONS - 0.5, ORIENTATIONS)
    first = np.floor(place).astype(np.int64)
    second_share = place - first
    rows, cols = height // CELL, width // CELL
    cell = (np.arange(height) // CELL)[:, None] * cols + np.arange(width) // CELL
    start = (np.arange(count)[:, None, None] * (rows * cols) + cell) * ORIENTATIONS
    votes = np.zeros(count * rows * cols * ORIENTATIONS)
    for bins, weights in ((first, length * (1 - second_share)), (first + 1, length * second_share)):
        places = (start + bins % ORIENTATIONS).ravel()
        votes += np.bincount(places, weights=weights.ravel(), minlength=len(votes))
    return votes.reshape(count, rows, cols, ORIENTATIONS).astype(np.float32)


def _unit(blocks: NDArray[Any]) -> NDArray[Any]:
    return blocks / np.sqrt(np.square(blocks).sum(axis=-1, keepdims=True) + LEAST**2)
