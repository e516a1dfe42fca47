"""Pairs of vectors with a high cosine, exactly, and the groups that pairs form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.retrieval.exact import Vectors, nearest

BLOCK = 2048  # vectors that are compared with as many others at a time
SAMPLE = 500  # vectors whose neighbours give the limit


def pairs_above(
    vectors: Vectors, limit: float, others: Vectors | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs (m, 2) of rows i < j with a cosine above the limit, and their cosines (m,).

    `vectors` (n, d) have length 1, see `unit_length`. The cosine is that of row i of `vectors` with row j of
    `others`, by default also `vectors`. Time grows with n²·d, memory with the number of pairs.

    Example:

        >>> pairs, cosines = pairs_above(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32), 0.5)
        >>> pairs.tolist(), cosines.tolist()
        ([[0, 2], [1, 2]], [0.6000000238418579, 0.800000011920929])
    """
    others = vectors if others is None else others
    found, cosines = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
    for first, second, scores in _blocks(vectors, others):
        places = np.flatnonzero(scores > limit)
        pairs = np.stack(np.divmod(places, scores.shape[1]), axis=1) + np.array([first, second])
        upper = pairs[:, 0] < pairs[:, 1]
        found.append(pairs[upper])
        cosines.append(scores.reshape(-1)[places[upper]])
    pairs, values = np.concatenate(found), np.concatenate(cosines)
    order = np.lexsort(pairs.T[::-1])
    return pairs[order], values[order]


def _blocks(vectors: Vectors, others: Vectors) -> Iterator[tuple[int, int, Vectors]]:
    """Yield first row, first other row, and cosines, for all blocks that have a pair i < j."""
    for first in range(0, len(vectors), BLOCK):
        for second in range(first, len(vectors), BLOCK):
            yield first, second, vectors[first : first + BLOCK] @ others[second : second + BLOCK].T


def neighbour_limit(vectors: Vectors, rank: int, others: Vectors | None = None) -> float:
    """Return the median cosine of a vector (n, d) with its neighbour of a rank, from 1 on; 1 for fewer.

    Above it, each row is in about `rank` pairs. Up to 500 rows are used. `others` is as in `pairs_above`.

    Example:

        >>> neighbour_limit(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32), 1)
        0.800000011920929
    """
    others = vectors if others is None else others
    if len(vectors) <= rank:
        return 1.0
    rows = np.sort(seeding.permutation(0, 0, len(vectors), "neighbours")[:SAMPLE])
    _, cosines, _ = nearest(others, vectors[rows], rank, hidden=list(rows[:, None]))
    return float(np.median(cosines[:, -1]))


def best_pairs(
    pairs: NDArray[np.int64], cosines: NDArray[np.float32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs (m, 2) that are among the `most` best of one of their rows, and their cosines (m,).

    Example:

        >>> pairs = np.array([[0, 1], [0, 2], [1, 2]])
        >>> best_pairs(pairs, np.array([0.9, 0.8, 0.7], np.float32), 1)[0].tolist()
        [[0, 1], [0, 2]]
    """
    rows = pairs.reshape(-1)
    order = np.argsort(rows.astype(np.uint64) << 32 | _descending(cosines).repeat(2), kind="stable")
    rows = rows[order]
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    place = np.arange(len(rows)) - np.repeat(begins, np.diff(begins, append=len(rows)))
    kept = np.unique(order[place < most] // 2)
    return pairs[kept], cosines[kept]


def _descending(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return numbers of 32 bits in the opposite order of float32 values; one sort by them is enough."""
    bits = (0 - values).astype(np.float32).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)


def groups_of(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the groups of two or more of `count` rows that pairs connect, each in ascending order.

    Example:

        >>> groups_of(6, [(0, 4), (2, 5), (4, 1)])
        [[0, 1, 4], [2, 5]]
    """
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    members: dict[int, list[int]] = {}
    for row in range(count):
        members.setdefault(root(row), []).append(row)
    return [rows for rows in members.values() if len(rows) > 1]
