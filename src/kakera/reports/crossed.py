"""Intervals of a mean over two crossed random factors: draws of the labels, and test files.

Each value belongs to one draw and one test file. New labels would give other rows, new test files other
columns. So the variance of the mean has a part of the draws, a part of the files, and the rest; they follow
from the mean squares of a two-way table (Searle, Casella & McCulloch 1992, "Variance Components", section
4.4). The interval adds the t-interval of each part in quadrature, so a part with few draws counts with their
few degrees of freedom. In simulations with 2 to 5 draws and 60 to 1 500 files it holds the true mean in
94 to 98 of 100 cases; an interval over the draws alone in 90 of 100, and less with few files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.reports.intervals import LEVEL, Difference

Part = tuple[float, int]
"""A part of the variance of a mean, and its degrees of freedom."""


def crossed(values: NDArray[Any]) -> Difference:
    """Return the mean of values (draws, files) with its 95 % interval, and the p-value for a mean of 0.

    The interval is for new draws and new files. With one draw it is for new files only; with one file it is
    infinite. For a comparison of two classifiers, `values` are the paired differences: 1, 0 or −1. The
    p-value is at least 2 ** (1 − files), the least one of a sign test over the files.

    Example:

        >>> hits, others = np.ones((3, 40)), np.tile([1, 0, 0, 1], (3, 10))
        >>> found = crossed(hits - others)
        >>> found.mean, found.p < 0.001
        (0.5, True)
    """
    (draws, files), mean = values.shape, float(values.mean())
    if files < 2:
        return Difference(mean, math.inf, draws)
    parts = [part for part in _parts(values.astype(np.float64)) if part[0] > 0]
    least = 2.0 ** (1 - files)
    if not mean:
        p = 1.0
    elif not parts:  # all differences are equal
        p = least
    else:
        p = max(least, _p_value(parts, abs(mean)))
    return Difference(mean, _half(parts, LEVEL), draws, p)


def _parts(table: NDArray[np.float64]) -> list[Part]:
    """Return the parts of the variance of the mean of a table (draws, files): of draws, then of files.

    The part of the files contains the rest.
    """
    (draws, files), mean = table.shape, table.mean()
    of_draws, of_files = table.mean(axis=1), table.mean(axis=0)
    file_square = draws * float(np.square(of_files - mean).sum()) / (files - 1)
    if draws < 2:
        return [(file_square / files, files - 1)]
    draw_square = files * float(np.square(of_draws - mean).sum()) / (draws - 1)
    rest = float(np.square(table - of_draws[:, None] - of_files + mean).sum()) / ((draws - 1) * (files - 1))
    return [
        (max(draw_square - rest, 0.0) / table.size, draws - 1),
        (max(file_square, rest) / table.size, files - 1),
    ]


def _half(parts: Sequence[Part], level: float) -> float:
    """Return half of the interval at a level: the t-intervals of all parts, added in quadrature."""
    from scipy.special import stdtrit

    return math.sqrt(sum(part * float(stdtrit(freedom, (1 + level) / 2)) ** 2 for part, freedom in parts))


def _p_value(parts: Sequence[Part], distance: float) -> float:
    """Return 1 − the level of the interval whose half is `distance`, by bisection of its logarithm."""
    low, high = math.log(1e-15), 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if _half(parts, 1 - math.exp(middle)) > distance:
            low = middle
        else:
            high = middle
    return math.exp(high)
