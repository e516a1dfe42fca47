"""Graphs for approximate search (HNSW, by usearch): one for each block of vectors of an index.

Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs".
"""

from __future__ import annotations

import importlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError, missing_extra
from kakera.machine import usable_cores
from kakera.retrieval.exact import Vectors
from kakera.retrieval.files import read_arrays, write_arrays
from kakera.retrieval.index import damaged
from kakera.storage import whole_file

GRAPHS, SUFFIX = "graphs", ".usearch"
SMALL = 20_000  # vectors of a block up to which exact search is as fast as a graph
LINKS, BUILD = 16, 64  # links of a vector, and vectors that are looked at to find them
LEVELS = 127
SAMPLES, SAMPLE = (
    64,
    1 << 12,
)  # pieces of a graph whose checksum is compared when it is opened, and bytes of each
STEP = 10_000  # vectors that are added at a time
Bytes8 = NDArray[np.int8]


def usearch() -> Any:
    """Import usearch. Raises MissingExtraError."""
    try:
        return importlib.import_module("usearch.index")
    except ImportError as error:
        raise missing_extra("usearch", "graph") from error


def int8_of(vectors: Vectors) -> Bytes8:
    """Return vectors (n, d) as int8, each divided by its largest number: the cosine needs no length.

    Example:

        >>> int8_of(np.array([[0.5, -0.25], [0, 0]], np.float32)).tolist()
        [[127, -64], [0, 0]]
    """
    found = np.empty(vectors.shape, np.int8)
    for first in range(0, len(vectors), STEP):
        part = np.asarray(vectors[first : first + STEP], np.float64)
        largest = np.abs(part).max(axis=1, keepdims=True, initial=0)
        found[first : first + STEP] = np.rint(part * (LEVELS / np.where(largest == 0, 1, largest)))
    return found


@dataclass(frozen=True, eq=False)
class Graph:
    """The graph of a block of vectors. Vectors that are equal as int8 are in the graph once.

    With many copies of each vector, a graph loses some of them (seen with usearch 2.26.6 and faiss 1.15.1).

    Example:

        >>> vectors = np.random.default_rng(0).standard_normal((300, 8), np.float32)
        >>> write_graph(Path("index"), "0f", vectors)
        >>> rows, _ = open_graph(Path("index"), "0f").nearest(vectors[[7]], 1, 64)
        >>> rows.tolist()
        [[7]]
    """

    tree: Any
    """The index of usearch, whose keys are rows of the block."""
    kept: NDArray[np.int64]
    """The rows in the graph that have copies, sorted, one time for each copy."""
    copies: NDArray[np.int64]
    """The rows of these copies."""

    def nearest(self, queries: Vectors, count: int, expansion: int) -> tuple[NDArray[np.int64], Vectors]:
        """Return the rows (q, count) with the highest cosines to the queries (q, d), and these, by int8.

        Where fewer are found, the row is −1 and the cosine −inf. `expansion` is the number of vectors that
        the search looks at.
        """
        self.tree.expansion_search = max(expansion, count)
        found = self.tree.search(int8_of(queries), count, threads=usable_cores())
        keys = np.asarray(found.keys).reshape(len(queries), -1).astype(np.int64)
        counts = np.atleast_1d(np.asarray(found.counts if len(queries) > 1 else len(found), np.int64))
        # usearch 2.26.6 fills the places of missing neighbours with key 0, which is a row, and NaN.
        missing = np.arange(keys.shape[1]) >= counts[:, None]
        distances = np.where(missing, np.inf, np.asarray(found.distances, np.float32).reshape(keys.shape))
        return np.where(missing, -1, keys), (1 - distances).astype(np.float32)

    def with_copies(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows (n,) of the graph with the rows of all their copies."""
        begin, end = np.searchsorted(self.kept, rows, "left"), np.searchsorted(self.kept, rows, "right")
        more = [self.copies[first:last] for first, last in zip(begin.tolist(), end.tolist(), strict=True)]
        return np.unique(np.concatenate([rows, *more]))


def write_graph(folder: Path, name: str, vectors: Vectors, advance: Any = None) -> None:
    """Build the graph of the vectors (n, d) of a block, and write it into `folder`.

    `advance` is called with the number of vectors that were added. Raises StorageError, and
    MissingExtraError without usearch. See `Graph`.
    """
    small = int8_of(vectors)
    whole = np.ascontiguousarray(small).view(f"V{small.shape[1]}")[:, 0]
    _, first, own = np.unique(whole, return_index=True, return_inverse=True)
    kept = first[own]
    rows = np.sort(first)
    tree = usearch().Index(
        ndim=small.shape[1], metric="cos", dtype="i8", connectivity=LINKS, expansion_add=BUILD
    )
    for begin in range(0, len(rows), STEP):
        part = rows[begin : begin + STEP]
        tree.add(part.astype(np.uint64), small[part], threads=usable_cores())
        if advance is not None:
            advance(len(part))
    content = bytes(tree.save())
    copies = np.flatnonzero(kept != np.arange(len(kept)))
    copies = copies[np.argsort(kept[copies], kind="stable")]
    description = {"size": len(content), "vectors": len(rows), "width": small.shape[1]}
    pieces = [content[place : place + SAMPLE] for place in _places(len(content))]
    path = folder / GRAPHS / f"{name}{SUFFIX}"
    with whole_file(path) as file:
        file.write(content)
    description["changed"] = path.stat().st_mtime_ns
    with whole_file(folder / GRAPHS / f"{name}.npz") as file:
        arrays = {"kept": kept[copies].astype(np.int64), "copies": copies.astype(np.int64)}
        write_arrays(file, arrays, {**description, "crc": _checksum(pieces), "whole": zlib.crc32(content)})


def open_graph(folder: Path, name: str, *, whole: bool = False) -> Graph:
    """Open the graph of a block, mapped into memory. Raises DataError if it is missing or damaged.

    Its size and the checksum of some of its pieces are compared. That of all bytes is compared with `whole`,
    and if the file was changed or copied since it was written: usearch ends the process (signal 11) when it
    searches in a damaged graph. See `Graph`.
    """
    path = folder / GRAPHS / f"{name}{SUFFIX}"
    library = usearch()
    try:
        arrays, described = read_arrays(path.with_suffix(".npz"))
        kept, copies = arrays["kept"], arrays["copies"]
        there = path.stat()
        whole = whole or there.st_mtime_ns != described["changed"]
        if there.st_size != described["size"] or kept.shape != copies.shape:
            raise damaged(str(path), "its size is not that of its description")
        with path.open("rb") as file:
            pieces = list[bytes]()
            for place in _places(int(described["size"])):
                file.seek(place)
                pieces.append(file.read(SAMPLE))
        if _checksum(pieces) != described["crc"] or (whole and _checksum_of(path) != described["whole"]):
            raise damaged(str(path), "its checksum differs")
        tree = library.Index.restore(str(path), view=True)
        if tree is None or len(tree) != described["vectors"] or tree.ndim != described["width"]:
            raise damaged(str(path), "it has other vectors than its description")
    except DataError as error:
        do = "run the same kakera embed command again, which builds it again; or search with --exact"
        raise DataError(str(path), got="a missing or damaged graph", expected="a whole one", do=do) from error
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        do = "run the same kakera embed command again, which builds it again; or search with --exact"
        raise DataError(str(path), got="a missing or damaged graph", expected="a whole one", do=do) from error
    return Graph(tree, kept, copies)


def _places(size: int) -> list[int]:
    """Return the offsets of the pieces whose checksum is compared: the first, the last, and some between."""
    return np.unique(np.linspace(0, max(0, size - SAMPLE), SAMPLES).astype(np.int64)).tolist()


def _checksum(pieces: list[bytes]) -> int:
    found = 0
    for piece in pieces:
        found = zlib.crc32(piece, found)
    return found


def _checksum_of(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 24):
            found = zlib.crc32(piece, found)
    return found
