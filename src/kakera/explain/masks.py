"""Which patches to hide from a model that is looked into: drawn by seed, named, or painted. True = hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.masking import MASKINGS


def random_masks(
    grid: Grid, ratio: float, *, seed: int = 0, count: int = 1, kind: str = "random"
) -> NDArray[np.bool_]:
    """(count, N): masks 0, 1, … of a seed, hiding N − int(N · (1 − ratio)) patches each.

    `kind` is random, block or grid. Raises OptionError, also where none or all would be hidden.
    """
    if kind not in MASKINGS or count < 1:
        raise OptionError(
            "masks",
            got=f"{count} of kind {kind}",
            expected=f"one or more of {', '.join(MASKINGS)}",
            do="choose one of these",
        )
    noise = seeding.uniform(seed, 0, np.arange(count), "explain", grid.count)
    return MASKINGS[kind](noise, grid, ratio)


def mask_of_patches(grid: Grid, patches: Sequence[int]) -> NDArray[np.bool_]:
    """(1, N): the patches with these numbers, 1 … N row by row, hidden. Raises OptionError."""
    wrong = [number for number in patches if not 1 <= number <= grid.count]
    if wrong:
        raise OptionError("patch", got=wrong[0], expected=f"1 to {grid.count}", do="choose some of these")
    hidden = np.zeros(grid.count, dtype=np.bool_)
    hidden[[number - 1 for number in patches]] = True
    return check_mask(grid, hidden)


def mask_of_drawing(grid: Grid, paint: NDArray[Any]) -> NDArray[np.bool_]:
    """(1, N): patches of which at least half is painted, in a drawing (H, W) of any size: 0 blank, 1 painted.

    Raises OptionError.
    """
    if paint.ndim != 2 or paint.shape[0] < grid.rows or paint.shape[1] < grid.cols:
        raise OptionError(
            "mask",
            got=f"a drawing of shape {paint.shape}",
            expected=f"two axes, at least {grid.rows} x {grid.cols}",
            do="paint a larger one",
        )
    strips = np.array_split(paint.astype(np.float64), grid.rows, axis=0)
    shares = [part.mean() for strip in strips for part in np.array_split(strip, grid.cols, axis=1)]
    return check_mask(grid, np.array(shares) >= 0.5)


def check_mask(grid: Grid, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask of N patches or of (rows, cols) as (1, N).

    Raises OptionError where it is of another size, or hides nothing or everything.
    """
    count = int(hidden.sum())
    if hidden.shape not in ((grid.count,), (grid.rows, grid.cols)) or not 0 < count < grid.count:
        raise OptionError(
            "mask",
            got=f"shape {hidden.shape} with {count} patches hidden",
            expected=f"{grid.rows} x {grid.cols} patches with 1 to {grid.count - 1} hidden",
            do="hide some and leave some",
        )
    return hidden.reshape(1, -1)
