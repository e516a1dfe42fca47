"""Masks for looking inside a model: random by seed, by patch number, or from a drawing. True = hidden."""

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
    """Return masks 0, 1, … of a seed, (count, N), which hide N − int(N · (1 − ratio)) patches each.

    `kind` is a name in `MASKINGS`, such as random, block or grid. Raises OptionError for other names, and if
    no patch or every patch would be hidden.

    Example:

        >>> random_masks(Grid(4, 4), 0.75, count=2).sum(axis=1).tolist()
        [12, 12]
    """
    if kind not in MASKINGS or count < 1:
        raise OptionError(
            "masks",
            got=f"{count} of kind {kind}",
            expected=f"1 or more of kind {', '.join(MASKINGS)}",
            do="correct the number or the kind",
        )
    noise = seeding.uniform(seed, 0, np.arange(count), "explain", grid.count)
    return MASKINGS[kind](noise, grid, ratio)


def mask_of_patches(grid: Grid, patches: Sequence[int]) -> NDArray[np.bool_]:
    """Return a mask (1, N) that hides the patches with these numbers, 1 … N row by row.

    Raises OptionError for a number that does not exist, and if no patch or every patch would be hidden.

    Example:

        >>> mask_of_patches(Grid(2, 2), [1, 4])
        array([[ True, False, False,  True]])
    """
    wrong = [number for number in patches if not 1 <= number <= grid.count]
    if wrong:
        raise OptionError(
            "patch", got=wrong[0], expected=f"1 to {grid.count}", do="choose numbers in this range"
        )
    hidden = np.zeros(grid.count, dtype=np.bool_)
    hidden[[number - 1 for number in patches]] = True
    return check_mask(grid, hidden)


def mask_of_drawing(grid: Grid, paint: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask (1, N) that hides the patches of which at least half is painted.

    `paint` is a drawing (H, W) of any size: 0 blank, 1 painted. Raises OptionError for a drawing with fewer
    pixels than patches, and if no patch or every patch would be hidden.

    Example:

        >>> mask_of_drawing(Grid(2, 2), np.array([[1, 0], [0, 0]]))
        array([[ True, False, False, False]])
    """
    if paint.ndim != 2 or paint.shape[0] < grid.rows or paint.shape[1] < grid.cols:
        raise OptionError(
            "mask",
            got=f"a drawing of shape {paint.shape}",
            expected=f"two axes, at least {grid.rows} x {grid.cols}",
            do="make the drawing larger",
        )
    strips = np.array_split(paint.astype(np.float64), grid.rows, axis=0)
    shares = [part.mean() for strip in strips for part in np.array_split(strip, grid.cols, axis=1)]
    return check_mask(grid, np.array(shares) >= 0.5)


def check_mask(grid: Grid, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask of N patches or (rows, cols) as (1, N).

    Raises OptionError for another size, and for a mask that hides no patch or every patch.

    Example:

        >>> check_mask(Grid(1, 2), np.array([True, False]))
        array([[ True, False]])
    """
    count = int(hidden.sum())
    if hidden.shape not in ((grid.count,), (grid.rows, grid.cols)) or not 0 < count < grid.count:
        raise OptionError(
            "mask",
            got=f"shape {hidden.shape} with {count} patches hidden",
            expected=f"{grid.rows} x {grid.cols} patches with 1 to {grid.count - 1} hidden",
            do="hide some patches, but not all",
        )
    return hidden.reshape(1, -1)
