"""Exact search of the nearest vectors by cosine, in blocks, with a running list of the best rows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 8192  # vectors that are compared with all queries at a time: their scores stay in the cache of a core
FIRST = 512  # vectors of the first block: without a lowest score yet, all of them are sorted
PART = 1024  # vectors that are divided by their lengths at a time
TINY, HUGE = 1e-30, 1e30
MOST = 1 << 22  # scores of a block at most, for many queries
Vectors = NDArray[np.float32]


def unit_length(vectors: NDArray[Any]) -> Vectors:
    """Return vectors (n, d) divided by their lengths, float32; a vector of zeros stays as it is.

    Example:

        >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    found = np.array(vectors, np.float32)
    for first in range(0, len(found), PART):
        part = found[first : first + PART]
        part /= lengths_of(part)[:, None]
    return found


def lengths_of(vectors: Vectors) -> Vectors:
    """Return the lengths of vectors (n, d), float32; 1 for a vector of zeros.

    Example:

        >>> lengths_of(np.array([[3, 4], [0, 0]], np.float32)).tolist()
        [5.0, 1.0]
    """
    found = np.empty(len(vectors), np.float32)
    for first in range(0, len(vectors), PART):
        part = vectors[first : first + PART]
        squares = np.einsum("nd,nd->n", part, part)
        odd = ~((squares > TINY) & (squares < HUGE))  # squares of very small or large numbers need float64
        lengths = np.sqrt(squares.astype(np.float64))
        lengths[odd] = np.linalg.norm(part[odd].astype(np.float64), axis=1)
        found[first : first + PART] = np.where(lengths == 0, 1.0, lengths)
    return found


def nearest(
    vectors: Vectors,
    queries: Vectors,
    count: int,
    *,
    hidden: Sequence[NDArray[np.int64]] = (),
    starts: NDArray[np.int64] | None = None,
    lengths: Vectors | None = None,
) -> tuple[NDArray[np.int64], Vectors, NDArray[np.int64]]:
    """Return the `count` items with the highest cosine for each query, best first.

    `vectors` (n, d) and `queries` (q, d) have length 1, see `unit_length`; or `lengths` (n,) are those of the
    vectors, so that no copy of them is needed. `hidden` has the items to leave out for each query. `starts`
    (items,) are the first rows of the items, if an item has several vectors; its score is then that of its
    best vector. By default each row is an item.

    Return the items (q, count), their cosines (q, count), and their best rows (q, count). Where an index has
    fewer items, the rest is −1, with a cosine of −inf. Of equal cosines, the first item comes first.

    Example:

        >>> vectors = np.eye(3, dtype=np.float32)
        >>> items, cosines, rows = nearest(vectors, vectors[:1], 2, hidden=[np.array([0])])
        >>> items, cosines
        (array([[1, 2]]), array([[0., 0.]], dtype=float32))
    """
    best = _Best(len(queries), count)
    queries = np.ascontiguousarray(queries, np.float32)
    items = len(vectors) if starts is None else len(starts)
    left_out = _LeftOut(hidden, items)
    scale = None if lengths is None else (1 / lengths).astype(np.float32)
    room = np.empty((len(queries), 0), np.float32)
    for first, last in _blocks(items, len(vectors), len(queries), starts):
        begin, end = first, last
        if starts is not None:
            begin, end = int(starts[first]), len(vectors) if last == items else int(starts[last])
        if room.shape[1] != end - begin:  # most blocks are alike; new memory for each would cost more time
            room = np.empty((len(queries), end - begin), np.float32)
        scores = np.matmul(queries, vectors[begin:end].T, out=room)
        if scale is not None:
            scores *= scale[begin:end]
        if starts is not None:
            scores = np.maximum.reduceat(scores, starts[first:last] - begin, axis=1)
        left_out.apply(scores, first)
        best.add(scores, first)
    found = best.items
    return found, best.scores, found if starts is None else _rows(vectors, queries, found, starts, scale)


def _blocks(
    items: int, rows: int, queries: int, starts: NDArray[np.int64] | None
) -> Sequence[tuple[int, int]]:
    """Return the first and last item of each block; items are not divided between blocks."""
    wide = max(1, min(BLOCK, MOST // max(queries, 1)))
    if starts is None:
        edges = [0, *range(min(FIRST, wide), items, wide), items]
    else:
        steps = [0, *range(min(FIRST, wide), rows, wide)]
        edges = [*np.searchsorted(starts, steps, side="left").tolist(), items]
    edges = sorted(set(edges))
    return list(itertools.pairwise(edges))


class _LeftOut:
    """The items to leave out, by query, sorted by item."""

    def __init__(self, hidden: Sequence[NDArray[np.int64]], items: int) -> None:
        self.items = np.concatenate([np.zeros(0, np.int64), *hidden])
        self.queries = np.repeat(np.arange(len(hidden)), [len(each) for each in hidden])
        order = np.argsort(self.items, kind="stable")
        self.items, self.queries = self.items[order], self.queries[order]

    def apply(self, scores: Vectors, first: int) -> None:
        """Set the scores (q, m) of items from `first` on to −inf where they are left out."""
        begin, end = np.searchsorted(self.items, [first, first + scores.shape[1]])
        scores[self.queries[begin:end], self.items[begin:end] - first] = -np.inf


class _Best:
    """The best items of each query so far, best first."""

    def __init__(self, queries: int, count: int) -> None:
        self.items = np.full((queries, count), -1, np.int64)
        self.scores = np.full((queries, count), -np.inf, np.float32)

    def add(self, scores: Vectors, first: int) -> None:
        """Add the scores (q, m) of the items from `first` on; earlier items win ties."""
        count = self.items.shape[1]
        if not count or not scores.size:
            return
        better = np.flatnonzero(scores > self.scores[:, -1:])  # the lowest of the best
        if not len(better):
            return
        query, item = np.divmod(better, scores.shape[1])
        rows = np.unique(query)
        kept = np.repeat(rows, count)
        queries = np.concatenate([kept, query])
        values = np.concatenate([self.scores[rows].reshape(-1), scores.reshape(-1)[better]])
        items = np.concatenate([self.items[rows].reshape(-1), item + first])
        order = np.lexsort((-values, queries))  # stable: of equal scores, the earlier item stays first
        begins = np.searchsorted(queries[order], rows)
        chosen = order[begins[:, None] + np.arange(count)]
        self.items[rows], self.scores[rows] = items[chosen], values[chosen]


def _rows(
    vectors: Vectors,
    queries: Vectors,
    items: NDArray[np.int64],
    starts: NDArray[np.int64],
    scale: Vectors | None,
) -> NDArray[np.int64]:
    """Return the best row of each found item (q, count); −1 for none."""
    ends, found = np.append(starts[1:], len(vectors)), np.full(items.shape, -1, np.int64)
    for place, item in np.ndenumerate(items):
        if item >= 0:
            begin, end = int(starts[item]), int(ends[item])
            scores = vectors[begin:end] @ queries[place[0]]
            found[place] = begin + int(np.argmax(scores if scale is None else scores * scale[begin:end]))
    return found
