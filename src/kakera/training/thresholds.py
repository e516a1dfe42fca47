"""Thresholds of a multi-label model: the least probability of each class that is predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.formats.classes import HALF

LEAST = 10  # files with a class from which it has a threshold of its own


def best_thresholds(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.bool_], least: int = LEAST
) -> tuple[float, ...]:
    """Return the threshold of each class that maximises its F1 on validation files.

    `probabilities` (n, classes) are those of the files, `labels` (n, classes) are True for their labels. A
    class with fewer than `least` files that have it gets no threshold of its own, because few files decide
    nothing: all such classes share one threshold, which maximises the F1 of their labels taken together. If
    they have fewer than `least` labels together, their threshold is 0.5. A classifier that knows nothing of a
    class has its best F1 when it always predicts it (Lipton et al. 2014).

    Example:

        >>> labels = np.arange(40)[:, None] < [20, 3]
        >>> probabilities = np.where(labels, 0.4, 0.2)
        >>> [round(each, 3) for each in best_thresholds(probabilities, labels)]
        [0.3, 0.5]
    """
    rare = labels.sum(axis=0) < least
    shared = HALF
    if labels[:, rare].sum() >= least:
        shared = best_threshold(probabilities[:, rare].ravel(), labels[:, rare].ravel())
    return tuple(
        shared if rare[i] else best_threshold(probabilities[:, i], labels[:, i]) for i in range(len(rare))
    )


def best_threshold(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.bool_]) -> float:
    """Return the threshold that maximises the F1 of one class; both arrays are (n,).

    It is halfway between two probabilities, or between the lowest one and 0. Of equal thresholds the nearest
    to 0.5 is chosen, and 0.5 itself if no other is better.

    Example:

        >>> best_threshold(np.array([0.1, 0.2, 0.4, 0.3]), np.array([False, False, True, True]))
        0.25
    """
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order].astype(np.float64)
    found = np.cumsum(labels[order])
    f1 = 2 * found / (np.arange(1, len(falling) + 1) + labels.sum())
    following = np.append(falling[1:], 0.0)
    last = np.append(falling[1:] < falling[:-1], True)[: len(falling)]  # of equal probabilities
    above = int((falling >= HALF).sum())
    of_half = f1[above - 1] if above else 0.0
    best = f1.max(initial=0.0, where=last)
    if of_half >= best:
        return HALF
    middles = ((falling + following) / 2)[last & (f1 == best)]
    return float(middles[np.abs(middles - HALF).argmin()])
