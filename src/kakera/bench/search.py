"""The case `search`: exact search of the nearest vectors, beside faiss and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.bench.contest import OURS, Contender, ResultUnit, Work
from kakera.bench.foreign import library
from kakera.retrieval.exact import nearest, unit_length

TOP = 10
QUERIES = ResultUnit("queries/s")


def search_vectors(place: Path, vectors: int, width: int, queries: int) -> Work:
    """Search `queries` random vectors among `vectors` others of `width` numbers, with all libraries.

    Example:

        >>> [each.name for each in search_vectors(Path(), 100, 8, 5).contenders][0]
        'kakera'
    """
    random = np.random.default_rng(0)
    stored, asked = (
        unit_length(random.standard_normal((count, width), dtype=np.float32)) for count in (vectors, queries)
    )
    expected = nearest(stored, asked, TOP)[0]
    contenders, absent = [Contender(OURS, lambda: nearest(stored, asked, TOP))], list[str]()
    equal: dict[str, float] = {}
    for name, make in (("faiss", _faiss), ("scikit-learn", _scikit_learn)):
        try:
            work = make(stored, asked)
        except ImportError:
            absent.append(name)
            continue
        contenders.append(Contender(name, work))
        equal[name] = round(float((work() == expected).mean()), 6)
    flops = 2 * vectors * width
    details = {"same_neighbours": equal}
    return Work(contenders, queries, QUERIES, flops, not_installed=tuple(absent), warm=False, details=details)


def _faiss(stored: NDArray[np.float32], asked: NDArray[np.float32]) -> Callable[[], Any]:
    """Return the search of faiss's flat index of inner products. Raises ImportError."""
    index = library("faiss").IndexFlatIP(stored.shape[1])
    index.add(stored)
    return lambda: index.search(asked, TOP)[1]


def _scikit_learn(stored: NDArray[np.float32], asked: NDArray[np.float32]) -> Callable[[], Any]:
    """Return the brute-force search of scikit-learn by cosine."""
    neighbours = library("sklearn.neighbors").NearestNeighbors(
        n_neighbors=TOP, metric="cosine", algorithm="brute"
    )
    neighbours.fit(stored)
    return lambda: neighbours.kneighbors(asked, return_distance=False)
