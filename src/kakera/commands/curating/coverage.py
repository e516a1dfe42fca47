"""Clusters of training files without a test file, and test files far from all training files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.retrieval.clusters import clusters_of
from kakera.retrieval.exact import Vectors, nearest, unit_length

LEAST = 40  # training files
FILES, CLUSTERS = 20, 50  # training files of a cluster at least on average, and clusters at most
RATE = 0.01  # of the training files that are as far from the others
SAMPLE = 5000  # training files whose distance from the others is measured
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Coverage:
    """The clusters and files that only one of both parts has. See `find_coverage`."""

    clusters: int
    """The number of clusters of training files."""
    empty: tuple[NDArray[np.int64], ...]
    """The rows of the training files of each cluster without a test file, the largest cluster first."""
    chance: float
    """The number of clusters without a test file, if test files were drawn from the training files."""
    far: dict[int, float]
    """Test files that are farther from all training files than 99 % of these from each other: 1 − cosine."""
    limit: float
    test: int
    """The number of test files."""


def find_coverage(
    tokens: NDArray[np.float32], train: NDArray[np.int64], test: NDArray[np.int64]
) -> Coverage | None:
    """Return the coverage for tokens (n, d) and the rows of both parts; None with few files.

    Example:

        >>> tokens = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
        >>> found = find_coverage(tokens, np.arange(150), np.arange(150, 200))
        >>> found.clusters, found.test
        (7, 50)
    """
    if len(train) < LEAST or not len(test):
        return None
    centre = tokens[train].mean(axis=0, dtype=np.float64)
    seen, held = unit_length(tokens[train] - centre), unit_length(tokens[test] - centre)
    count = min(CLUSTERS, len(train) // FILES)
    own = clusters_of(np.concatenate([seen, held]), count)
    sizes = np.bincount(own[: len(train)], minlength=count)
    tested = np.bincount(own[len(train) :], minlength=count)
    numbers = [
        each for each in np.argsort(-sizes, kind="stable").tolist() if sizes[each] and not tested[each]
    ]
    empty = tuple(train[own[: len(train)] == number] for number in numbers)
    shares = sizes[sizes > 0] / len(train)
    some = np.arange(len(train))[:: -(-len(train) // SAMPLE)]
    usual = 1 - _closest(seen, seen[some], some)
    limit = float(np.quantile(usual, 1 - RATE))
    away = 1 - _closest(seen, held, None)
    order = [row for row in np.argsort(-away, kind="stable").tolist() if away[row] > limit]
    far = {int(test[row]): float(away[row]) for row in order}
    chance = float(((1 - shares) ** len(test)).sum())
    return Coverage(int((sizes > 0).sum()), empty, chance, far, limit, len(test))


def _closest(vectors: Vectors, queries: Vectors, own: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """Return the highest cosine of each query with a vector, without its own row."""
    found = [np.zeros(0, np.float32)]
    for first in range(0, len(queries), BLOCK):
        hidden = () if own is None else list(own[first : first + BLOCK, None])
        found.append(nearest(vectors, queries[first : first + BLOCK], 1, hidden=hidden)[1][:, 0])
    return np.concatenate(found)
