"""Statistics of a few repetitions: means, 95 % intervals, paired differences, and significant crossings.

Intervals are Student's t-intervals over repetitions ("The probable error of a mean", 1908). The p-values of
several differences are corrected by Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure":
the probability of any false claim among them stays at most 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean of `count` values, and half the width of its 95 % interval: infinite for one value.

    Example:

        >>> Interval(mean=0.5, half=0.25, count=3).low
        0.25
    """

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.half


@dataclass(frozen=True)
class Difference(Interval):
    """A mean of paired differences with its interval and its two-sided p-value. See `paired`."""

    p: float = 1.0


@dataclass(frozen=True)
class Crossing:
    """A crossing of two curves between `low` and `high`, estimated at `at`. See `crossings`."""

    low: float
    high: float
    at: float
    upwards: bool
    """True if the first curve is higher after the crossing."""


def interval(values: Sequence[float]) -> Interval:
    """Return the mean and the 95 % t-interval of independent values; at least one value is needed.

    Example:

        >>> result = interval([1.0, 2.0, 3.0])
        >>> result.mean, round(result.half, 3)
        (2.0, 2.484)
    """
    return Interval(fmean(values), _half(values), len(values))


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Return the mean of first − second, paired value by value.

    Common influences, such as the draw of the labels, cancel. With one pair, `p` is 1.

    Example:

        >>> paired([3.0, 4.0, 5.0], [1.0, 2.0, 3.0]).mean
        2.0
    """
    from scipy.special import stdtr  # Student's t, without the half second of scipy.stats

    gaps = [a - b for a, b in zip(first, second, strict=True)]
    mean, half = fmean(gaps), _half(gaps)
    if len(gaps) < 2:
        p = 1.0
    elif (deviation := stdev(gaps)) == 0:  # equal differences: Student's t is not defined
        p = 0.0 if mean else 1.0
    else:
        score = abs(mean) / (deviation / math.sqrt(len(gaps)))
        p = 2 * float(stdtr(len(gaps) - 1, -score))
    return Difference(mean, half, len(gaps), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after the Holm correction for several tests, in the same order.

    Example:

        >>> holm([0.01, 0.5, 0.02])
        [0.03, 0.5, 0.04]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def signs(differences: Sequence[Difference]) -> list[int]:
    """Return the sign of each significant difference (1 or −1), and 0 for the others.

    A difference is significant if its p-value is below 0.05 after the Holm correction.

    Example:

        >>> signs([paired([3.0, 4.0, 5.1], [1.0, 2.0, 3.0]), paired([1.0, 2.0, 3.0], [2.0, 1.0, 3.5])])
        [1, 0]
    """
    corrected = holm([difference.p for difference in differences])
    return [
        0 if p >= 1 - LEVEL else int(math.copysign(1, difference.mean))
        for p, difference in zip(corrected, differences, strict=True)
    ]


def crossings(places: Sequence[float], differences: Sequence[Difference]) -> list[Crossing]:
    """Return the crossings between neighbouring places whose differences have significant, opposite signs.

    `places` are positive and in ascending order. Places without a significant difference are skipped. `at`
    is the zero of a straight line over the logarithm of the place.

    Example:

        >>> better, worse = Difference(0.1, 0.01, 3, p=0.001), Difference(-0.1, 0.01, 3, p=0.001)
        >>> crossings([10, 1000], [worse, better])[0].upwards
        True
    """
    sure = [(i, sign) for i, sign in enumerate(signs(differences)) if sign]
    found: list[Crossing] = []
    for (i, before), (j, after) in pairwise(sure):
        if before != after:
            first, last = differences[i].mean, differences[j].mean
            share = first / (first - last)
            at = places[i] * (places[j] / places[i]) ** share
            found.append(Crossing(places[i], places[j], at, after > 0))
    return found


def _half(values: Sequence[float]) -> float:
    from scipy.special import stdtrit

    if len(values) < 2:
        return math.inf
    width = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2))
    return width * stdev(values) / math.sqrt(len(values))
