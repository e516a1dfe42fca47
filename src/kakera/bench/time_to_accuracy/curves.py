"""Curves of accuracy against processor seconds, and the ratio of times at equal accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, TypeAlias

Curve: TypeAlias = list[tuple[float, float]]
NOT_REACHED, BEFORE = "not reached", "before the first point"


@dataclass(frozen=True)
class Crossing:
    """The time at which a contender reaches an accuracy of its peer. See `crossing`."""

    accuracy: float
    """The best accuracy of the peer, in per cent."""
    peer_seconds: float
    """The processor seconds of the peer's first point with this accuracy."""
    seconds: float | None
    """The processor seconds of the contender; None if the accuracy is not reached or no time is known."""
    text: str
    """ "", "not reached", or "before the first point"."""

    @property
    def ratio(self) -> float | None:
        """The peer's seconds divided by the contender's; None without a time."""
        return None if self.seconds is None else self.peer_seconds / self.seconds


def curve(points: Sequence[Mapping[str, Any]], labels: int) -> Curve:
    """Return (processor seconds, accuracy), means over the seeds of each budget, by time.

    Example:

        >>> point = {"budget": 60, "seconds": 58.0, "accuracies": {"100": [70.0, 72.0]}}
        >>> curve([point], 100)
        [(58.0, 71.0)]
    """
    budgets: dict[float, list[Mapping[str, Any]]] = {}
    for point in points:
        if str(labels) in point["accuracies"]:
            budgets.setdefault(point["budget"], []).append(point)
    return sorted(
        (
            fmean(point["seconds"] for point in each),
            fmean(fmean(point["accuracies"][str(labels)]) for point in each),
        )
        for each in budgets.values()
    )


def crossing(ours: Curve, peer: Curve) -> Crossing:
    """Return when the first curve reaches the best accuracy of the second one.

    Between two measured points, accuracy is linear in the logarithm of time. Nothing is extrapolated.

    Example:

        >>> found = crossing([(10.0, 60.0), (40.0, 80.0)], [(50.0, 65.0), (100.0, 70.0)])
        >>> round(found.seconds, 6), round(found.ratio, 6)
        (20.0, 5.0)
        >>> crossing([(10.0, 60.0)], [(50.0, 65.0)]).text
        'not reached'
    """
    accuracy = max(each for _, each in peer)
    peer_seconds = next(seconds for seconds, each in peer if each == accuracy)
    if ours[0][1] >= accuracy:
        text = "" if ours[0][1] == accuracy else BEFORE
        return Crossing(accuracy, peer_seconds, None if text else ours[0][0], text)
    for (start, low), (end, high) in pairwise(ours):
        if low < accuracy <= high:
            share = (accuracy - low) / (high - low)
            seconds = math.exp(math.log(start) + share * (math.log(end) - math.log(start)))
            return Crossing(accuracy, peer_seconds, seconds, "")
    return Crossing(accuracy, peer_seconds, None, NOT_REACHED)
