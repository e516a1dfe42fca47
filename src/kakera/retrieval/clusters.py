"""Clusters of vectors by cosine: spherical k-means (Dhillon and Modha 2001, section 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.retrieval.exact import Vectors, unit_length

STEPS = 20
MOST = 20_000  # vectors from which the centres are computed
BLOCK = 16_384


def clusters_of(vectors: Vectors, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the cluster of each vector (n,), 0 to count − 1; some may be empty.

    `vectors` (n, d) have length 1. The first centres are vectors that are far from each other; `seed` draws
    them.

    Example:

        >>> found = clusters_of(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32), 2)
        >>> bool(found[0] == found[2] != found[1] == found[3])
        True
    """
    order = seeding.permutation(seed, 0, len(vectors), "clusters")[:MOST]
    some = vectors[np.sort(order)]
    random = np.random.default_rng(seed)
    chosen = [int(random.integers(len(some)))]
    closest = 1 - some @ some[chosen[0]]
    for _ in range(count - 1):  # k-means++ (Arthur and Vassilvitskii 2007, section 2.2)
        weights = np.maximum(closest, 0).astype(np.float64)
        if weights.sum() <= 1e-9:
            break
        chosen.append(int(random.choice(len(some), p=weights / weights.sum())))
        closest = np.minimum(closest, 1 - some @ some[chosen[-1]])
    centres, before = some[chosen], np.full(len(some), -1)
    for _ in range(STEPS):
        own = _nearest(some, centres)
        if (own == before).all():
            break
        before, sums = own, np.zeros_like(centres)
        np.add.at(sums, own, some)
        full = np.bincount(own, minlength=len(centres)) > 0
        centres[full] = unit_length(sums[full])
    return _nearest(vectors, centres)


def most_typical(vectors: Vectors, own: NDArray[np.int64]) -> dict[int, int]:
    """Return the row nearest to the centre of each cluster, for clusters `own` (n,) of vectors (n, d).

    The centre is the mean of the vectors of the cluster, and vectors have length 1.

    Example:

        >>> vectors = unit_length(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
        >>> most_typical(vectors, np.array([0, 0, 0]))
        {0: 1}
    """
    found = dict[int, int]()
    for number in np.unique(own).tolist():
        rows = np.flatnonzero(own == number)
        found[number] = int(rows[(vectors[rows] @ vectors[rows].mean(axis=0)).argmax()])
    return found


def _nearest(vectors: Vectors, centres: Vectors) -> NDArray[np.int64]:
    blocks = (vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK))
    return np.concatenate([np.zeros(0, np.int64), *((block @ centres.T).argmax(axis=1) for block in blocks)])
