"""Confidence intervals of measures, which depend on the number of test files.

Accuracy has Wilson's score interval ("Probable inference", 1927). Balanced accuracy is a mean of C
independent proportions with variance V = Σ pᵢ(1 − pᵢ)/nᵢ / C². Its interval is Wilson's for the number of
files that give a single proportion this variance, at most C² / Σ 1/nᵢ files. (The two numbers are equal if
all classes are equally difficult.) Differences are paired, file by file, and bootstrapped over the files
(Efron 1979).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera import seeding

Z = 1.959963984540054  # quantile of the normal distribution for a 95 % interval
DRAWS = 2000  # bootstrap samples
MOST_CELLS = 4_000_000  # draws × classes at once, which limits the memory
MOST_NUMBERS = 100_000_000  # draws × files × classes for average precision, which limits the time

Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class Range:
    """A measured share 0 … 1, or a difference of two shares, with its 95 % interval. See `wilson`."""

    value: float
    low: float
    high: float


def accuracy(hits: Hits) -> Range:
    """Return the accuracy with its interval; `hits` (n,) is True for correct predictions, n at least 1.

    Example:

        >>> accuracy(np.array([True, True, False, True])).value
        0.75
    """
    return wilson(float(np.mean(hits)), len(hits))


def balanced(hits: Hits, labels: NDArray[np.int64]) -> Range:
    """Return the balanced accuracy with its interval: the mean recall of the classes in `labels`.

    `hits` (n,) is True for correct predictions, `labels` is int (n,), n at least 1.

    Example:

        >>> balanced(np.array([True, True, True, False]), np.array([0, 0, 0, 1])).value
        0.5
    """
    counts, right = _per_class(labels, hits)
    recalls = right / counts
    value = float(recalls.mean())
    files = len(counts) ** 2 / float((1 / counts).sum())
    variance = float((recalls * (1 - recalls) / counts).sum()) / len(counts) ** 2
    if variance > 0:
        files = min(files, value * (1 - value) / variance)
    return wilson(value, files)


def wilson(share: float, count: float) -> Range:
    """Return Wilson's score interval of a share among `count` independent trials.

    Example:

        >>> result = wilson(0.8, 100)
        >>> round(result.low, 3), round(result.high, 3)
        (0.711, 0.867)
    """
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return Range(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def difference(first: Hits, second: Hits, labels: NDArray[np.int64] | None = None) -> Range:
    """Return the difference first − second in accuracy, or with `labels` in balanced accuracy.

    `first` and `second` (n,) are True for correct predictions on the same files. The interval is a percentile
    bootstrap over the files with a fixed seed. A draw leaves out classes without files in it.

    Example:

        >>> difference(np.array([True] * 8 + [False] * 2), np.array([True] * 6 + [False] * 4)).value
        0.2
    """
    groups = np.zeros(len(first), np.int64) if labels is None else labels
    counts, better = _per_class(groups, first & ~second)
    _, worse = _per_class(groups, second & ~first)
    random = seeding.generator(0, "bootstrap")
    same = np.where(better < counts, 1 - better / counts, 1.0)
    means: list[NDArray[Any]] = []
    step = max(1, MOST_CELLS // len(counts))
    for start in range(0, DRAWS, step):
        size = min(step, DRAWS - start)
        drawn = random.multinomial(len(first), counts / len(first), size=size)
        better_drawn = random.binomial(drawn, better / counts)
        worse_drawn = random.binomial(drawn - better_drawn, np.minimum(worse / counts / same, 1.0))
        with np.errstate(invalid="ignore"):
            shares = (better_drawn - worse_drawn) / drawn  # NaN if the draw has no file of the class
        means.append(np.nanmean(shares, axis=1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Range(float(((better - worse) / counts).mean()), float(low), float(high))


def average_precision(scores: NDArray[np.floating[Any]], labels: NDArray[np.bool_]) -> Range | None:
    """Return the mean average precision over the classes with a true label, with its bootstrap interval.

    `scores` and `labels` are (n, classes). Returns None if the computation would take too long or no file
    has a label.

    Example:

        >>> labels = np.array([[True], [False], [True], [False]])
        >>> average_precision(np.array([[0.9], [0.1], [0.8], [0.2]]), labels).value
        1.0
    """
    present = np.flatnonzero(labels.any(axis=0))
    draws = min(DRAWS // 4, MOST_NUMBERS // max(1, len(labels) * len(present)))
    if not len(present) or draws < 100:
        return None
    random = seeding.generator(0, "bootstrap")
    weights = random.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=draws)
    weights = np.concatenate([np.ones((1, len(labels)), np.int64), weights])
    precisions = np.stack([_precision(scores[:, i], labels[:, i], weights) for i in present])
    known = np.isfinite(precisions).sum(axis=0)
    means = np.nansum(precisions, axis=0)[known > 0] / known[known > 0]  # a draw may contain no true file
    low, high = np.quantile(means[1:], [0.025, 0.975])
    return Range(float(means[0]), float(low), float(high))


def _precision(scores: NDArray[Any], labels: NDArray[np.bool_], weights: NDArray[np.int64]) -> NDArray[Any]:
    """Return average precision (draws,) of one class, with each file counted `weights` (draws, n) times.

    Files with equal scores count together, as in scikit-learn. The result is NaN for a draw without a true
    file.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    weights = weights[:, order]
    guessed = weights.cumsum(axis=1)[:, ends]
    right = (weights * labels[order]).cumsum(axis=1)[:, ends]
    gained = np.diff(right, axis=1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(guessed > 0, right / guessed, 0.0)
        return (shares * gained).sum(axis=1) / np.where(right[:, -1] > 0, right[:, -1], np.nan)


def _per_class(labels: NDArray[np.int64], hits: Hits) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the number of files and the number of hits of each class that has files."""
    counts = np.bincount(labels)
    there = counts > 0
    return counts[there], np.bincount(labels, weights=hits, minlength=len(counts))[there]
