"""The choice of the next files: typical ones first, then uncertain ones that differ from each other.

The first files are those nearest to the centres of clusters, as in TypiClust (Hacohen, Dekel and Weinshall
2022, section 3), with cosines in place of densities. Later ones come from the files with the smallest margin
between the two most probable classes. These are clustered, so that a batch does not ask the same question ten
times (Zhdanov 2019, "Diverse mini-batch active learning", section 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kakera.formats.tokens.keys import Key
from kakera.retrieval.clusters import clusters_of, most_typical
from kakera.retrieval.exact import Vectors

CANDIDATES = 20  # uncertain files that are clustered, for each file of a batch
MOST = 200  # clusters of all files


def typical_files(places: Vectors, count: int, taken: NDArray[np.bool_], seed: int = 0) -> list[int]:
    """Return up to `count` rows: the most typical file of each of the largest clusters without a taken file.

    `places` (n, d) have length 1, `taken` (n,) is True for files that were given out before. All files form
    as many clusters as there are taken files and wanted ones, at most 200.

    Example:

        >>> places = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
        >>> sorted(typical_files(places, 2, np.array([False, False, False])))
        [0, 2]
        >>> typical_files(places, 1, np.array([True, False, False]))
        [2]
    """
    free = np.flatnonzero(~taken)
    if not len(free) or count < 1:
        return []
    own = clusters_of(places, min(int(taken.sum()) + count, MOST, len(places)), seed)
    sizes, used = np.bincount(own), np.bincount(own[taken], minlength=int(own.max()) + 1)
    typical = most_typical(places[free], own[free])
    order = sorted(typical, key=lambda number: (used[number], -sizes[number]))
    return [int(free[typical[number]]) for number in order[:count]]


def uncertain_files(
    places: Vectors, margins: NDArray[np.float32], count: int, taken: NDArray[np.bool_], seed: int = 0
) -> list[int]:
    """Return up to `count` rows with small margins that are not alike.

    The 20 · count free files with the smallest margins (n,) form `count` clusters; the result has the most
    typical file of each. The other arguments are as in `typical_files`.

    Example:

        >>> places = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
        >>> margins = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
        >>> sorted(uncertain_files(places, margins, 2, np.zeros(4, bool)))
        [0, 2]
    """
    free = np.flatnonzero(~taken)
    if not len(free) or count < 1:
        return []
    near = free[np.argsort(margins[free], kind="stable")[: CANDIDATES * count]]
    found = most_typical(places[near], clusters_of(places[near], min(count, len(near)), seed))
    rows = [int(near[row]) for row in found.values()]
    others = [row for row in near.tolist() if row not in set(rows)]  # for empty clusters
    return [*rows, *others[: count - len(rows)]]


def random_order(keys: Sequence[Key], seed: int = 0) -> NDArray[np.int64]:
    """Return all rows in a random order that depends on the content of each file only.

    So a file keeps its place among the others when files are added or removed. Copies stay in their order.

    Example:

        >>> few, more = [b"a", b"b", b"c"], [b"d", b"a", b"b", b"c"]
        >>> kept = [more[row] for row in random_order(more) if more[row] != b"d"]
        >>> [few[row] for row in random_order(few)] == kept
        True
    """
    words = [hashlib.blake2b(key, digest_size=8, salt=seed.to_bytes(8, "little")).digest() for key in keys]
    return np.array(sorted(range(len(words)), key=lambda row: (words[row], row)), np.int64)
