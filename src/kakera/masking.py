"""Choose the hidden patches of a picture by a random, block, grid or strip pattern.

The patterns random, block and grid are those of the MAE paper (Fig. 6); strips (rows, cols, cross) follow
Huang et al. 2022 (Sec. 3.2).

A masking takes noise in [0, 1), a row of n numbers for each picture. It hides exactly n − int(n · (1 −
ratio)) patches of each picture, as the released models of the MAE paper do. With a padding mask (True =
padding), n counts the other patches only. Padding is never hidden, and at least one patch stays visible. This
module does not import torch.

Example:

    >>> from kakera import seeding
    >>> noise = seeding.uniform(0, 0, range(2), "mask", 16)
    >>> patches = Grid(4, 4)
    >>> MASKINGS["random"](noise, patches, 0.75).sum(axis=1).tolist()
    [12, 12]
    >>> block(noise, patches, 0.5).shape
    (2, 16)
    >>> bool(rows(noise, patches, 0.75)[0].reshape(4, 4).all(axis=1).sum() == 3)
    True
    >>> int(grid(noise, patches, 0.75)[0].reshape(2, 2, 2, 2).sum(axis=(1, 3)).max())
    3
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

TIE = 1e-12  # smaller than the difference between the noise of two strips, so that strips do not mix


class PatchIds(NamedTuple):
    """The numbers of some patches of each row, in ascending order.

    Example:

        >>> PatchIds(np.array([[0, 2], [1, 3]]), None).ids.shape
        (2, 2)
    """

    ids: NDArray[np.int64]
    """(b, k): the patch numbers; a row with fewer than k patches is filled up with patches that were not
    chosen."""
    padding: BoolMask | None
    """(b, k): True where a row is filled up; None if all rows have the same number of patches."""


class MaskIds(NamedTuple):
    """The visible and the hidden patches of each picture.

    Example:

        >>> noise = np.array([[0.9, 0.1, 0.8, 0.2]])
        >>> random.split_ids(noise, Grid(2, 2), 0.5).visible.ids
        array([[1, 3]])
    """

    visible: PatchIds
    hidden: PatchIds


def num_visible(count: int, ratio: float) -> int:
    """Return how many of `count` patches stay visible: int(count · (1 − ratio)).

    Raises OptionError if no patch would be hidden, or no patch would be visible.

    Example:

        >>> num_visible(196, 0.75)
        49
    """
    keep = int(count * (1 - ratio)) if 0 <= ratio < 1 else 0
    if not 0 < keep < count:
        raise OptionError(
            "mask ratio",
            got=f"{ratio}, which leaves {keep} of {count} patches visible",
            expected="a ratio from 0 to 1 that hides at least one patch and leaves at least one visible",
            do="choose another ratio, or smaller patches",
        )
    return keep


class Masking:
    """A way to choose hidden patches by a rank: the patches with the lowest ranks stay visible.

    `rank` is a function of the noise (b, n), the grid, the number of visible patches (b,) and the padding
    mask (b, n) or None. It returns the ranks (b, n).

    Example:

        >>> first = Masking(lambda noise, grid, keep, padding_mask: np.arange(noise.shape[1]) + 0 * noise)
        >>> first(np.zeros((1, 4)), Grid(2, 2), 0.5)
        array([[False, False,  True,  True]])
    """

    def __init__(self, rank: Callable[[Noise, Grid, Counts, BoolMask | None], Noise]) -> None:
        self._rank, self.__doc__, self.__name__ = rank, rank.__doc__, rank.__name__

    def __call__(
        self, noise: Noise, grid: Grid, ratio: float, padding_mask: BoolMask | None = None
    ) -> BoolMask:
        """Return Boolean masks (b, n), True = hidden, from noise (b, n) and a padding mask (b, n).

        Raises OptionError if the ratio hides no patch or every patch.
        """
        order, _, last = self._order(noise, grid, ratio, padding_mask)
        hidden = np.empty(order.shape, dtype=bool)
        np.put_along_axis(hidden, order, np.arange(order.shape[1]) >= last[:, None], axis=1)
        return hidden

    def split_ids(
        self, noise: Noise, grid: Grid, ratio: float, padding_mask: BoolMask | None = None
    ) -> MaskIds:
        """Return the same masks as patch numbers, the form that models use.

        Raises OptionError if the ratio hides no patch or every patch.
        """
        order, first, last = self._order(noise, grid, ratio, padding_mask)
        return MaskIds(
            _between(order, first, last), _between(order, last, np.full_like(last, order.shape[1]))
        )

    def _order(
        self, noise: Noise, grid: Grid, ratio: float, padding_mask: BoolMask | None
    ) -> tuple[NDArray[np.int64], Counts, Counts]:
        """Return patches by rank (b, n), and the ends of padding (`first`) and visible patches (`last`)."""
        keep = _keeps(grid, ratio, noise, padding_mask)
        rank, first = self._rank(noise, grid, keep, padding_mask), np.zeros_like(keep)
        if padding_mask is not None:
            rank, first = np.where(padding_mask, -1.0, rank), padding_mask.sum(axis=1)
        return np.argsort(rank, axis=1), first, first + keep


@Masking
def random(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Rank patches by their noise, so that the hidden patches are uniformly random.

    Other code calls it `random_masking`.

    Example:

        >>> random(np.array([[0.9, 0.1, 0.8, 0.2]]), Grid(2, 2), 0.5)
        array([[ True, False,  True, False]])
    """
    return noise


@Masking
def rows(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Hide whole rows in random order; the last one may be hidden in part, so that the count is exact.

    Example:

        >>> rows(np.array([[0.9, 0.1, 0.8, 0.2]]), Grid(2, 2), 0.5)
        array([[ True,  True, False, False]])
    """
    return _strips(np.repeat(noise[:, : grid.rows], grid.cols, axis=1), noise)


@Masking
def cols(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Hide whole columns in random order; the last one may be hidden in part, so that the count is exact.

    Example:

        >>> cols(np.array([[0.9, 0.1, 0.8, 0.2]]), Grid(2, 2), 0.5)
        array([[ True, False,  True, False]])
    """
    return _strips(np.tile(noise[:, : grid.cols], grid.rows), noise)


@Masking
def cross(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Hide rows and columns, shuffled together, until the count is reached.

    Example:

        >>> int(cross(np.array([[0.9, 0.1, 0.8, 0.2]]), Grid(2, 2), 0.75).sum())
        3
    """
    down = np.repeat(noise[:, : grid.rows], grid.cols, axis=1)
    across = np.tile(noise[:, -grid.cols :], grid.rows)
    return _strips(np.maximum(down, across), noise)


@Masking
def block(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Hide large rectangles, one after another, until the count is reached (Bao et al. 2022, Alg. 1).

    Rectangles have aspect ratios from 0.3 to 1/0.3. The last one is trimmed, so that the count is exact. The
    noise is enough for n / 4 rectangles. If these hide too few patches, as on small grids, random patches
    follow.

    Example:

        >>> int(block(np.full((1, 16), 0.5), Grid(4, 4), 0.75).sum())
        12
    """
    padding = np.zeros(noise.shape, dtype=bool) if padding_mask is None else padding_mask
    missing = grid.count - padding.sum(axis=1) - keep
    masks = [_blocks(row, grid, int(m), p) for row, m, p in zip(noise, missing, padding, strict=True)]
    hidden = np.array(masks, dtype=bool).reshape(noise.shape)
    return np.where(hidden, 2.0, 0.0) + noise


@Masking
def grid(noise: Noise, grid: Grid, keep: Counts, padding_mask: BoolMask | None) -> Noise:
    """Hide patches at even spacing: a ratio of 0.75 leaves one patch of every 2 × 2 visible.

    The offset is random for each picture. Other ratios follow the 8 × 8 ordered-dither matrix (Bayer 1973),
    which spreads any count evenly.

    Example:

        >>> int(grid(np.full((1, 16), 0.5), Grid(4, 4), 0.75).sum())
        12
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
    """Return a random subset of the hidden patches, at least one in each row, for a decoder to predict.

    `noise` and `hidden` are (b, n); `share` is above 0 and up to 1. Returns a Boolean array (b, n). Raises
    OptionError for any other share.

    Example:

        >>> noise, hidden = np.array([[0.3, 0.1, 0.2, 0.4]]), np.array([[True, True, False, True]])
        >>> choose_subset(noise, hidden, 0.5)
        array([[False,  True, False, False]])
    """
    counts = hidden.sum(axis=1)
    order = np.argsort(np.where(hidden, noise, 2.0), axis=1)
    chosen = np.empty(hidden.shape, dtype=bool)
    np.put_along_axis(chosen, order, np.arange(hidden.shape[1]) < _some(counts, share)[:, None], axis=1)
    return chosen


def choose_subset_ids(noise: Noise, hidden: PatchIds, share: float) -> PatchIds:
    """Return the subset of `choose_subset` as patch numbers, from noise (b, n) and the hidden patches.

    Raises OptionError for a share that is not above 0 and up to 1.

    Example:

        >>> hidden = PatchIds(np.array([[0, 1, 3]]), None)
        >>> choose_subset_ids(np.array([[0.3, 0.1, 0.2, 0.4]]), hidden, 0.5).ids
        array([[1]])
    """
    ids, padding = hidden
    own = np.take_along_axis(noise, ids, axis=1)
    counts = np.full(len(ids), ids.shape[1]) if padding is None else (~padding).sum(axis=1)
    order = np.argsort(own if padding is None else np.where(padding, 2.0, own), axis=1)
    chosen = _some(counts, share)
    return _between(np.take_along_axis(ids, order, axis=1), np.zeros_like(chosen), chosen)


def _some(counts: Counts, share: float) -> Counts:
    if not 0 < share <= 1:
        expected, do = "a share above 0 and up to 1", "choose a share in this range"
        raise OptionError("predicted share", got=share, expected=expected, do=do)
    return np.minimum(counts, np.maximum(1, (counts * share).astype(np.int64)))


def _between(order: NDArray[np.int64], first: Counts, last: Counts) -> PatchIds:
    """Return columns `first` … `last` − 1 of each row, sorted; the numbers of a row must be distinct."""
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
    """Return the number of visible patches of each picture (b,)."""
    whole = num_visible(grid.count, ratio)  # raises for a ratio that hides no patch or every patch
    if padding_mask is None:
        return np.full(len(noise), whole)
    present = grid.count - padding_mask.sum(axis=1)
    return np.maximum(1, (present * (1 - ratio)).astype(np.int64))


def _strips(strips: Noise, noise: Noise) -> Noise:
    """Return the rank of each patch: by its strip, then by its own noise within the strip."""
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
