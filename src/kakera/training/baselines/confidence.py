"""How far a measured accuracy may lie from the true one, given how few files it was measured on.

Accuracy: Wilson's score interval ("Probable inference", 1927). Balanced accuracy is a mean of C independent
proportions with variance V = Σ pᵢ(1 − pᵢ)/nᵢ / C²; it gets Wilson's interval for the number of files that
would give one proportion this variance, and at most for C² / Σ 1/nᵢ files, which is that number where all
classes are equally hard. Differences are paired, file by file, and bootstrapped over the files (Efron 1979).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera import seeding

Z = 1.959963984540054  # of the normal distribution: 95 % lie within
DRAWS = 2000
MOST_CELLS = 4_000_000  # draws times classes at once
MOST_NUMBERS = 100_000_000  # that the draws of an average precision may touch

Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class Range:
    """A measured share 0 … 1, or a difference of two, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def accuracy(hits: Hits) -> Range:
    """Of files (n,) that were classified rightly or not; n is at least 1."""
    return wilson(float(np.mean(hits)), len(hits))


def balanced(hits: Hits, labels: NDArray[np.int64]) -> Range:
    """The mean over the classes that are there of their recalls; hits and labels (n,), n at least 1."""
    counts, right = _per_class(labels, hits)
    recalls = right / counts
    value = float(recalls.mean())
    files = len(counts) ** 2 / float((1 / counts).sum())
    variance = float((recalls * (1 - recalls) / counts).sum()) / len(counts) ** 2
    if variance > 0:
        files = min(files, value * (1 - value) / variance)
    return wilson(value, files)


def wilson(share: float, count: float) -> Range:
    """Wilson's score interval of a share among `count` independent trials."""
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return Range(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def difference(first: Hits, second: Hits, labels: NDArray[np.int64] | None = None) -> Range:
    """first − second in accuracy, or given `labels` in balanced accuracy, on the same files (n,).

    The percentile bootstrap over the files, with a fixed seed. Classes that a draw lacks do not count in it.
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
            shares = (better_drawn - worse_drawn) / drawn  # not a number where the draw lacks the class
        means.append(np.nanmean(shares, axis=1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Range(float(((better - worse) / counts).mean()), float(low), float(high))


def average_precision(scores: NDArray[np.floating[Any]], labels: NDArray[np.bool_]) -> Range | None:
    """Mean average precision over the classes that are there, bootstrapped over the files.

    Scores and labels (n, classes). None where that would take too long, or no class is there.
    """
    present = np.flatnonzero(labels.any(axis=0))
    draws = min(DRAWS // 4, MOST_NUMBERS // max(1, len(labels) * len(present)))
    if not len(present) or draws < 100:
        return None
    random = seeding.generator(0, "bootstrap")
    weights = random.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=draws)
    weights = np.concatenate([np.ones((1, len(labels)), np.int64), weights])
    found = np.stack([_precision(scores[:, i], labels[:, i], weights) for i in present])
    known = np.isfinite(found).sum(axis=0)
    means = np.nansum(found, axis=0)[known > 0] / known[known > 0]  # a draw may lack every true file
    low, high = np.quantile(means[1:], [0.025, 0.975])
    return Range(float(means[0]), float(low), float(high))


def _precision(scores: NDArray[Any], labels: NDArray[np.bool_], weights: NDArray[np.int64]) -> NDArray[Any]:
    """Average precision (draws,) of one class, each file counted `weights` (draws, n) times.

    Files of equal score count together, as scikit-learn has it. Not a number where no true file is drawn.
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
    """How many files each class that is there has, and how many of them are hits."""
    counts = np.bincount(labels)
    there = counts > 0
    return counts[there], np.bincount(labels, weights=hits, minlength=len(counts))[there]
