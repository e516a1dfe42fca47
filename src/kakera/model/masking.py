"""Which patches are hidden: random, block or grid (MAE paper, Sec. 3 and Fig. 6). True = hidden.

Each maker takes noise in [0, 1), one row of n numbers a picture, and hides exactly
n − int(n · (1 − ratio)) patches of each: the rule of the MAE paper's released models.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import OptionError, sentence
from kakera.grid import Grid


def kept(count: int, ratio: float) -> int:
    """How many of `count` patches stay visible. Raises OptionError where none or all would."""
    keep = int(count * (1 - ratio)) if 0 <= ratio < 1 else 0
    if not 0 < keep < count:
        raise OptionError(
            sentence(
                "hidden share",
                got=f"{ratio}, which keeps {keep} of {count} patches",
                expected="a share from 0 to 1 that hides at least one patch and keeps at least one",
                do="choose another share, or smaller patches",
            )
        )
    return keep


def random(noise: NDArray[np.float64], grid: Grid, ratio: float) -> NDArray[np.bool_]:
    """Uniform: the patches with the lowest noise stay. noise (b, n) to hidden (b, n)."""
    return _hide_highest(noise, kept(grid.count, ratio))


def block(noise: NDArray[np.float64], grid: Grid, ratio: float) -> NDArray[np.bool_]:
    """Large rectangles, one after another, until the share is hidden (Bao et al. 2022, Alg. 1).

    Rectangles have aspect ratios from 0.3 to 1/0.3; the last is trimmed so that the count is exact. The
    noise is enough for n / 4 of them; what they leave to be hidden, on small grids, lies anywhere.
    """
    missing = grid.count - kept(grid.count, ratio)
    return np.stack([_blocks(row, grid, missing) for row in noise]) if len(noise) else noise.astype(bool)


def grid(noise: NDArray[np.float64], grid: Grid, ratio: float) -> NDArray[np.bool_]:
    """Evenly spaced: at a ratio of 0.75 one patch of every 2 × 2 stays, at a place drawn per picture.

    Other ratios follow the 8 × 8 ordered-dither matrix (Bayer 1973), so that any count is spread evenly.
    """
    keep = kept(grid.count, ratio)
    shift = (noise[:, :2] * 8).astype(int)
    rows = np.arange(grid.rows)[None, :, None] + shift[:, 0, None, None]
    cols = np.arange(grid.cols)[None, None, :] + shift[:, 1, None, None]
    rank = _BAYER[rows % 8, cols % 8].reshape(len(noise), grid.count)
    return _hide_highest(rank + noise * 1e-3, keep)


MASKINGS: dict[str, Callable[[NDArray[np.float64], Grid, float], NDArray[np.bool_]]] = {
    "random": random,
    "block": block,
    "grid": grid,
}


def visible(hidden: Bool[Tensor, "b n"]) -> Int[Tensor, "b k"]:
    """Numbers of the visible patches, in order. Raises OptionError where there are none or rows differ."""
    return _numbers(~hidden, "visible")


def concealed(hidden: Bool[Tensor, "b n"]) -> Int[Tensor, "b m"]:
    """Numbers of the hidden patches, in order. Raises OptionError where there are none or rows differ."""
    return _numbers(hidden, "hidden")


def _numbers(chosen: Bool[Tensor, "b n"], kind: str) -> Int[Tensor, "b k"]:
    counts = chosen.sum(dim=1)
    each = int(counts[0])
    if each == 0 or not bool((counts == each).all()):
        raise OptionError(
            sentence(
                "mask",
                got=f"{int(counts.min())} to {int(counts.max())} {kind} patches",
                expected="the same number, at least one, in every picture of a batch",
                do="hide the same number of patches in each",
            )
        )
    return torch.argsort((~chosen).to(torch.uint8), dim=1, stable=True)[:, :each]


def _hide_highest(rank: NDArray[np.float64], keep: int) -> NDArray[np.bool_]:
    hidden = np.ones(rank.shape, dtype=bool)
    np.put_along_axis(hidden, np.argsort(rank, axis=1, kind="stable")[:, :keep], False, axis=1)
    return hidden


def _blocks(noise: NDArray[np.float64], grid: Grid, missing: int) -> NDArray[np.bool_]:
    hidden = np.zeros((grid.rows, grid.cols), dtype=bool)
    for draw in range(0, len(noise) - 3, 4):
        area, aspect, top, left = noise[draw : draw + 4]
        left_over = missing - int(hidden.sum())
        if left_over <= 0:
            break
        size = max(1.0, (0.3 + 0.7 * area) * left_over)
        ratio = 0.3 ** (1 - 2 * aspect)
        height = int(np.clip(round((size * ratio) ** 0.5), 1, grid.rows))
        width = int(np.clip(round((size / ratio) ** 0.5), 1, grid.cols))
        row, col = int(top * (grid.rows - height + 1)), int(left * (grid.cols - width + 1))
        fresh = np.argwhere(~hidden[row : row + height, col : col + width])[:left_over]
        hidden[row + fresh[:, 0], col + fresh[:, 1]] = True
    rank = np.where(hidden.ravel(), 2.0, 0.0) + noise[: grid.count]
    return _hide_highest(rank[None], grid.count - missing)[0]


def _bayer(order: int) -> NDArray[np.float64]:
    if order == 0:
        return np.zeros((1, 1))
    small = 4 * _bayer(order - 1)
    return np.block([[small, small + 2], [small + 3, small + 1]])


_BAYER = _bayer(3)
