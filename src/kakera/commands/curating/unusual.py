"""Files that are unlike all others: the distance of each file, measured without it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.formats.rejection import shrunk_covariance
from kakera.option_fields import AUTO, Auto

LEAST = 40  # files
FOLDS, ROUNDS = 5, 10
TRIMMED = 0.05  # share of the most distant files that the covariance leaves out
MOST = 20_000  # files of which a covariance is computed
EXPECTED = 1.0  # files that exceed the limit by chance
SHOWN = 50  # files above the limit that are listed


@dataclass(frozen=True, eq=False)
class Unusual:
    """The score of each file, and the limit. See `find_unusual`."""

    scores: NDArray[np.float64]
    """The logarithm of the distance (n,), in standard deviations from the median."""
    limit: float

    def rows(self, most: int | Auto = AUTO) -> NDArray[np.int64]:
        """Return the most unusual rows first: so many, or with "auto" those above the limit, at most 50."""
        order = np.argsort(-self.scores, kind="stable")
        return order[:most] if most != AUTO else order[:SHOWN][self.scores[order[:SHOWN]] > self.limit]


def find_unusual(tokens: NDArray[np.float32]) -> Unusual | None:
    """Return how unusual each of n files is by its tokens (n, d); None for fewer than 40 files.

    The distance is that of `kakera.formats.rejection` (Mahalanobis, shrunk covariance). Mean and covariance
    are those of the files of four other parts of five, without the most distant 5 %. The limit is exceeded by
    one of n files on average, if the logarithms of the distances are normal.

    Example:

        >>> tokens = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
        >>> tokens[7] = 30
        >>> find_unusual(tokens).rows().tolist()
        [7]
    """
    count = len(tokens)
    if count < LEAST:
        return None
    order = seeding.permutation(0, 0, count, "unusual")
    fold = np.empty(count, np.int64)
    fold[order] = np.arange(count) % FOLDS
    distances, near = np.zeros(count), np.ones(count, bool)
    for _ in range(ROUNDS):
        for part in range(FOLDS):
            seen = np.flatnonzero((fold != part) & near)
            held = fold == part
            distances[held] = _distance(tokens[seen[:: -(-len(seen) // MOST)]], tokens[held])
        near = distances <= np.quantile(distances, 1 - TRIMMED)
    values = np.log(np.maximum(distances, 1e-12))
    middle = np.median(values)
    # The lower half shows the spread: outliers are in the upper one.
    spread = 1.4826 * np.median(np.abs(values - middle))
    scores = (values - middle) / max(float(spread), 1e-9)
    return Unusual(scores, NormalDist().inv_cdf(1 - min(EXPECTED / count, 0.5)))


def _distance(seen: NDArray[np.float32], tokens: NDArray[np.float32]) -> NDArray[np.float64]:
    values = seen.astype(np.float64)
    mean, std = values.mean(axis=0), values.std(axis=0)
    std = np.where(std <= 1e-6 * np.maximum(np.abs(mean), 1e-30), np.inf, std)
    spread, axes = np.linalg.eigh(shrunk_covariance((values - mean) / std))
    placed = ((tokens - mean) / std) @ (axes / np.sqrt(np.maximum(spread, 1e-9)))
    return np.square(placed).mean(axis=1)
