"""What a few repetitions say: means, 95 % intervals, paired differences, and crossings outside the noise.

Intervals are Student's t over repetitions ("The probable error of a mean", 1908). Where many differences are
judged together, their p-values are corrected by Holm 1979, "A Simple Sequentially Rejective Multiple Test
Procedure": the chance of any false claim among them stays at 5 %.
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
    """The mean of `count` values, and how far the true mean may lie from it: infinitely, for one value."""

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half


@dataclass(frozen=True)
class Difference(Interval):
    """A mean of paired differences; `p` is the chance of one at least as large where there is none."""

    p: float = 1.0


@dataclass(frozen=True)
class Crossing:
    """Where one curve overtakes another: certainly between `low` and `high`, most likely near `at`."""

    low: float
    high: float
    at: float
    upwards: bool
    """Whether the first curve is the higher one beyond."""


def interval(values: Sequence[float]) -> Interval:
    """Mean and t-interval of independent values, at least one."""
    return Interval(fmean(values), _half(values), len(values))


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """first − second, value by value: what they share, such as the draw of the labels, cancels."""
    from scipy.special import stdtr  # Student's t, without the half second of scipy.stats

    gaps = [a - b for a, b in zip(first, second, strict=True)]
    mean, half = fmean(gaps), _half(gaps)
    if len(gaps) < 2:
        p = 1.0
    elif (deviation := stdev(gaps)) == 0:
        p = 0.0 if mean else 1.0
    else:
        score = abs(mean) / (deviation / math.sqrt(len(gaps)))
        p = 2 * float(stdtr(len(gaps) - 1, -score))
    return Difference(mean, half, len(gaps), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for having been judged together, in the same order."""
    found, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        found[place] = largest
    return found


def signs(differences: Sequence[Difference]) -> list[int]:
    """1 and −1 where a difference judged together with the others is outside the noise, else 0."""
    corrected = holm([difference.p for difference in differences])
    return [
        0 if p >= 1 - LEVEL else int(math.copysign(1, difference.mean))
        for p, difference in zip(corrected, differences, strict=True)
    ]


def crossings(places: Sequence[float], differences: Sequence[Difference]) -> list[Crossing]:
    """Between neighbours among the places (rising, above 0) whose differences are surely of opposite sign.

    Places without a sure sign lie inside the noise and are passed over. `at` is where a straight line
    over the logarithm of the place goes through zero.
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
