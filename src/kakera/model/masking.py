"""Which patches are hidden: random, block, grid (MAE paper, Fig. 6), or strips (Huang et al. 2022, Sec. 3.2).

True = hidden. Each maker takes noise in [0, 1), one row of n numbers a picture, and hides exactly
n − int(n · (1 − ratio)) patches of each: the rule of the MAE paper's released models. Where patches are
`absent` (True), n counts the others, none of the absent is hidden, and at least one stays visible.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import OptionError, sentence
from kakera.grid import Grid

Noise: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.bool_]

TIE = 1e-12  # below what two strips' noise differ by, so that strips go one after another


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


class Masking(Protocol):
    """What every maker is."""

    def __call__(self, noise: Noise, grid: Grid, ratio: float, absent: Places | None = None) -> Places:
        """noise (b, n) and absent (b, n) to hidden (b, n). Raises OptionError as `kept` does."""
        ...


def random(noise: Noise, grid: Grid, ratio: float, absent: Places | None = None) -> Places:
    """Uniform: the patches with the lowest noise stay."""
    return _hide_highest(noise, _keeps(grid, ratio, noise, absent), absent)


def rows(noise: Noise, grid: Grid, ratio: float, absent: Places | None = None) -> Places:
    """Whole rows in random order until the share is hidden; of the last row only what is still due."""
    strips = np.repeat(noise[:, : grid.rows], grid.cols, axis=1)
    return _strips(strips, noise, grid, ratio, absent)


def cols(noise: Noise, grid: Grid, ratio: float, absent: Places | None = None) -> Places:
    """Whole columns in random order until the share is hidden; of the last only what is still due."""
    strips = np.tile(noise[:, : grid.cols], grid.rows)
    return _strips(strips, noise, grid, ratio, absent)


def cross(noise: Noise, grid: Grid, ratio: float, absent: Places | None = None) -> Places:
    """Rows and columns, shuffled together, until the share is hidden."""
    down = np.repeat(noise[:, : grid.rows], grid.cols, axis=1)
    across = np.tile(noise[:, -grid.cols :], grid.rows)
    return _strips(np.maximum(down, across), noise, grid, ratio, absent)


def block(noise: Noise, grid: Grid, ratio: float, absent: Places | None = None) -> Places:
    """Large rectangles, one after another, until the share is hidden (Bao et al. 2022, Alg. 1).

    Rectangles have aspect ratios from 0.3 to 1/0.3; the last is trimmed so that the count is exact. The
    noise is enough for n / 4 of them; what they leave to be hidden, on small grids, lies anywhere.
    """
    gone = np.zeros(noise.shape, dtype=bool) if absent is None else absent
    missing = grid.count - gone.sum(axis=1) - _keeps(grid, ratio, noise, absent)
    found = [_blocks(row, grid, int(m), g) for row, m, g in zip(noise, missing, gone, strict=True)]
    return np.array(found, dtype=bool).reshape(len(noise), grid.count)


def grid(noise: Noise, grid: Grid, ratio: float, absent: Places | None = None) -> Places:
    """Evenly spaced: at a ratio of 0.75 one patch of every 2 × 2 stays, at a place drawn per picture.

    Other ratios follow the 8 × 8 ordered-dither matrix (Bayer 1973), so that any count is spread evenly.
    """
    keep = _keeps(grid, ratio, noise, absent)
    shift = (noise[:, :2] * 8).astype(int)
    rows = np.arange(grid.rows)[None, :, None] + shift[:, 0, None, None]
    cols = np.arange(grid.cols)[None, None, :] + shift[:, 1, None, None]
    rank = _BAYER[rows % 8, cols % 8].reshape(len(noise), grid.count)
    return _hide_highest(rank + noise * 1e-3, keep, absent)


MASKINGS: dict[str, Masking] = {
    "random": random,
    "block": block,
    "grid": grid,
    "rows": rows,
    "cols": cols,
    "cross": cross,
}


def among(noise: Noise, hidden: Places, share: float) -> Places:
    """A uniform choice of the hidden patches, one at least of each row: what a decoder is asked for.

    noise (b, n) and hidden (b, n) to (b, n). Raises OptionError for a share that asks for
    none, or for more than all.
    """
    if not 0 < share <= 1:
        raise OptionError(
            sentence("predicted share", got=share, expected="above 0, up to 1", do="choose such a share")
        )
    keep = np.maximum(1, (hidden.sum(axis=1) * share).astype(np.int64))
    return hidden & ~_hide_highest(np.where(hidden, noise, 2.0), keep, None)


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
    return chosen.nonzero()[:, 1].view(len(chosen), each).contiguous()  # else gathering takes longer


def _keeps(grid: Grid, ratio: float, noise: Noise, absent: Places | None) -> NDArray[np.int64]:
    """(b,): how many patches of each picture stay visible."""
    whole = kept(grid.count, ratio)  # refuses a share that can hide nothing, or everything
    if absent is None:
        return np.full(len(noise), whole)
    present = grid.count - absent.sum(axis=1)
    return np.maximum(1, (present * (1 - ratio)).astype(np.int64))


def _hide_highest(rank: Noise, keep: NDArray[np.int64], absent: Places | None) -> Places:
    """Rank (b, n): all but the `keep` lowest of each row; what is absent stands below all."""
    if absent is not None:
        rank, keep = np.where(absent, -1.0, rank), keep + absent.sum(axis=1)
    order = np.argsort(rank, axis=1, kind="stable")
    hidden = np.empty(rank.shape, dtype=bool)
    np.put_along_axis(hidden, order, np.arange(rank.shape[1]) >= keep[:, None], axis=1)
    return hidden


def _strips(strips: Noise, noise: Noise, grid: Grid, ratio: float, absent: Places | None) -> Places:
    """Of patches with the same number in `strips`, the noise of their own says which goes first."""
    own = np.argsort(np.argsort(noise, axis=1), axis=1) * TIE
    return _hide_highest(strips + own, _keeps(grid, ratio, noise, absent), absent)


def _blocks(noise: Noise, grid: Grid, missing: int, absent: Places) -> Places:
    hidden = np.zeros((grid.rows, grid.cols), dtype=bool)
    taken = absent.reshape(grid.rows, grid.cols).copy()
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
    rank = np.where(hidden.ravel(), 2.0, 0.0) + noise[: grid.count]
    keep = np.array([grid.count - int(absent.sum()) - missing])
    return _hide_highest(rank[None], keep, absent[None])[0]


def _bayer(order: int) -> NDArray[np.float64]:
    if order == 0:
        return np.zeros((1, 1))
    small = 4 * _bayer(order - 1)
    return np.block([[small, small + 2], [small + 3, small + 1]])


_BAYER = _bayer(3)
