"""Which patches are hidden: random, block, grid (MAE paper, Fig. 6), or strips (Huang et al. 2022, Sec. 3.2).

Each masking takes noise in [0, 1), one row of n numbers a picture, and hides exactly n − int(n · (1 − ratio))
patches of each: the rule of the MAE paper's released models. Where patches are `padding_mask` (True), n counts the
others, none of the absent is hidden, and at least one stays visible. No torch here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.errors import OptionError
from kakera.grid import Grid

Noise: TypeAlias = NDArray[np.float64]
BoolMask: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = NDArray[np.int64]

TIE = 1e-12  # below what two strips' noise differ by, so that strips go one after another


class PatchIds(NamedTuple):
    """Numbers of some patches of each row, ascending; `padding` is None where all rows have as many."""

    ids: NDArray[np.int64]
    """(b, k): a row with fewer than k is filled up with patches that do not belong to it."""
    padding: BoolMask | None
    """(b, k): True where a row was filled up."""


class MaskIds(NamedTuple):
    """The patches of each picture that stay visible, and those that are hidden."""

    visible: PatchIds
    hidden: PatchIds


def num_visible(count: int, ratio: float) -> int:
    """How many of `count` patches stay visible. Raises OptionError where none or all would."""
    keep = int(count * (1 - ratio)) if 0 <= ratio < 1 else 0
    if not 0 < keep < count:
        raise OptionError(
            "hidden share",
            got=f"{ratio}, which keeps {keep} of {count} patches",
            expected="a share from 0 to 1 that hides at least one patch and keeps at least one",
            do="choose another share, or smaller patches",
        )
    return keep


class Masking:
    """One way to choose: it ranks the patches of each picture, and those of the lowest rank stay visible.

    Made of a function from noise (b, n), the grid, how many stay (b,) and `padding_mask` (b, n) to ranks (b, n).
    """

    def __init__(self, rank: Callable[[Noise, Grid, Counts, BoolMask | None], Noise]) -> None:
        self._rank, self.__doc__, self.__name__ = rank, rank.__doc__, rank.__name__

    def __call__(
        self, noise: Noise, grid: Grid, ratio: float, padding_mask: BoolMask | None = None
    ) -> BoolMask:
        """Draw Boolean masks, True = hidden: noise (b, n) and absent (b, n) to (b, n).

        Raises OptionError for a ratio that hides nothing or everything.
        """
        order, _, last = self._order(noise, grid, ratio, padding_mask)
        hidden = np.empty(order.shape, dtype=bool)
        np.put_along_axis(hidden, order, np.arange(order.shape[1]) >= last[:, None], axis=1)
        return hidden

    def split_ids(
        self, noise: Noise, grid: Grid, ratio: float, padding_mask: BoolMask | None = None
    ) -> MaskIds:
        """Draw the same masks as numbers of patches, as models take them in. Raises OptionError likewise."""
        order, first, last = self._order(noise, grid, ratio, padding_mask)
        return MaskIds(
            _between(order, first, last), _between(order, last, np.full_like(last, order.shape[1]))
        )

    def _order(
        self, noise: Noise, grid: Grid, ratio: float, padding_mask: BoolMask | None
    ) -> tuple[NDArray[np.int64], Counts, Counts]:
        """Patches by rank (b, n): first those that are absent, up to `first`; visible ones, up to `last`."""
        keep = _keeps(grid, ratio, noise, padding_mask)
        rank, first = self._rank(noise, grid, keep, padding_mask), np.zeros_like(keep)
        if padding_mask is not None:
            rank, first = np.where(padding_mask, -1.0, rank), padding_mask.sum(axis=1)
        return np.argsort(rank, axis=1), first, first + keep


@Masking
def random(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Uniform: the patches with the lowest noise stay."""
    return noise


@Masking
def rows(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Whole rows in random order until the share is hidden; of the last row only what is still due."""
    return _strips(np.repeat(noise[:, : grid.rows], grid.cols, axis=1), noise)


@Masking
def cols(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Whole columns in random order until the share is hidden; of the last only what is still due."""
    return _strips(np.tile(noise[:, : grid.cols], grid.rows), noise)


@Masking
def cross(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Rows and columns, shuffled together, until the share is hidden."""
    down = np.repeat(noise[:, : grid.rows], grid.cols, axis=1)
    across = np.tile(noise[:, -grid.cols :], grid.rows)
    return _strips(np.maximum(down, across), noise)


@Masking
def block(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Large rectangles, one after another, until the share is hidden (Bao et al. 2022, Alg. 1).

    Rectangles have aspect ratios from 0.3 to 1/0.3; the last is trimmed so that the count is exact. The
    noise is enough for n / 4 of them; what they leave to be hidden, on small grids, lies anywhere.
    """
    gone = np.zeros(noise.shape, dtype=bool) if padding_mask is None else padding_mask
    missing = grid.count - gone.sum(axis=1) - keep
    found = [_blocks(row, grid, int(m), g) for row, m, g in zip(noise, missing, gone, strict=True)]
    hidden = np.array(found, dtype=bool).reshape(noise.shape)
    return np.where(hidden, 2.0, 0.0) + noise


@Masking
def grid(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Evenly spaced: at a ratio of 0.75 one patch of every 2 × 2 stays, at a place drawn per picture.

    Other ratios follow the 8 × 8 ordered-dither matrix (Bayer 1973), so that any count is spread evenly.
    """
    shift = (noise[:, :2] * 8).astype(int)
    rows = np.arange(grid.rows)[None, :, None] + shift[:, 0, None, None]
    cols = np.arange(grid.cols)[None, None, :] + shift[:, 1, None, None]
    return _BAYER[rows % 8, cols % 8].reshape(len(noise), grid.count) + noise * 1e-3


MASKINGS: dict[str, Masking] = {
    "random": random,
    "block": block,
    "grid": grid,
    "rows": rows,
    "cols": cols,
    "cross": cross,
}


def choose_subset(noise: Noise, hidden: BoolMask, share: float) -> BoolMask:
    """A uniform choice of the hidden patches, one at least of each row: what a decoder is asked for.

    noise (b, n) and hidden (b, n) to (b, n). Raises OptionError for a share that asks for
    none, or for more than all.
    """
    counts = hidden.sum(axis=1)
    order = np.argsort(np.where(hidden, noise, 2.0), axis=1)
    chosen = np.empty(hidden.shape, dtype=bool)
    np.put_along_axis(chosen, order, np.arange(hidden.shape[1]) < _some(counts, share)[:, None], axis=1)
    return chosen


def choose_subset_ids(noise: Noise, hidden: PatchIds, share: float) -> PatchIds:
    """What `choose_subset` chooses, by numbers: noise (b, n) and the hidden patches. Raises OptionError likewise."""
    ids, padding = hidden
    own = np.take_along_axis(noise, ids, axis=1)
    counts = np.full(len(ids), ids.shape[1]) if padding is None else (~padding).sum(axis=1)
    order = np.argsort(own if padding is None else np.where(padding, 2.0, own), axis=1)
    chosen = _some(counts, share)
    return _between(np.take_along_axis(ids, order, axis=1), np.zeros_like(chosen), chosen)


def _some(counts: Counts, share: float) -> Counts:
    if not 0 < share <= 1:
        raise OptionError("predicted share", got=share, expected="above 0, up to 1", do="choose such a share")
    return np.minimum(counts, np.maximum(1, (counts * share).astype(np.int64)))


def _between(order: NDArray[np.int64], first: Counts, last: Counts) -> PatchIds:
    """The columns `first` … `last` − 1 of each row of different numbers, ascending."""
    counts = last - first
    if len(order) == 0 or ((first == first[0]).all() and (last == last[0]).all()):
        start, stop = (int(first[0]), int(last[0])) if len(order) else (0, 0)
        return PatchIds(np.sort(order[:, start:stop], axis=1), None)
    columns, most = np.arange(order.shape[1]), int(counts.max())
    beyond = int(order.max()) + 1
    inside = (columns >= first[:, None]) & (columns < last[:, None])
    ids = np.sort(np.where(inside, order, order + beyond), axis=1)[:, :most]
    padding = ids >= beyond
    return PatchIds(ids % beyond, padding if padding.any() else None)


def _keeps(grid: Grid, ratio: float, noise: Noise, padding_mask: BoolMask | None) -> Counts:
    """(b,): how many patches of each picture stay visible."""
    whole = num_visible(grid.count, ratio)  # refuses a share that can hide nothing, or everything
    if padding_mask is None:
        return np.full(len(noise), whole)
    present = grid.count - padding_mask.sum(axis=1)
    return np.maximum(1, (present * (1 - ratio)).astype(np.int64))


def _strips(strips: Noise, noise: Noise) -> Noise:
    """Of patches with the same number in `strips`, the noise of their own says which goes first."""
    return strips + np.argsort(np.argsort(noise, axis=1), axis=1) * TIE


def _blocks(noise: Noise, grid: Grid, missing: int, padding_mask: BoolMask) -> BoolMask:
    hidden = np.zeros((grid.rows, grid.cols), dtype=bool)
    taken = padding_mask.reshape(grid.rows, grid.cols).copy()
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
        fresh = np.argwhere(~taken[row : row + height, col : col + width])[:left_over]
        hidden[row + fresh[:, 0], col + fresh[:, 1]] = True
        taken |= hidden
    return hidden.ravel()


def _bayer(order: int) -> NDArray[np.float64]:
    if order == 0:
        return np.zeros((1, 1))
    small = 4 * _bayer(order - 1)
    return np.block([[small, small + 2], [small + 3, small + 1]])


_BAYER = _bayer(3)
