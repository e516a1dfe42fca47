"""Approximate search in an index in a folder, by the graphs of its blocks, without reading all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.retrieval.exact import Vectors, nearest, unit_length
from kakera.retrieval.folder import GRAPH, INDEX, SHIFT, VECTORS, damaged_block, read_info
from kakera.retrieval.graphs import SMALL, Graph, open_graph
from kakera.retrieval.index import ROWS, Index, checked, damaged
from kakera.retrieval.mapped import map_arrays

WIDEST = 1 << 16  # vectors that a search in a graph looks at, at most; a larger number is damage
TOP = 10  # neighbours of a vector that the recall is measured with
MARGIN = 4  # candidates of each match that are compared again by their stored vectors, and as many more
MORE = 16
CHUNK = 1 << 20  # rows of the table that are looked at together
Places = NDArray[np.int64]
"""Block and row of vectors in one number: block << 40 | row."""


@dataclass(frozen=True)
class GraphInfo:
    """The recall of the graphs of an index.

    Example:

        >>> GraphInfo(64, 0.991, 200).line()
        'approximate: the graph of the index finds 99.1 % of the 10 nearest, ...; --exact finds all'
    """

    expansion: int
    """The number of vectors that the search in each graph looks at."""
    recall: float
    """The share of the ten nearest vectors that is found."""
    queries: int
    """The number of vectors of the index that the recall was measured with."""

    def line(self) -> str:
        """Return the recall in one line."""
        share = f"{100 * self.recall:.1f} % of the {TOP} nearest"
        measured = f"measured with {self.queries} of its vectors"
        return f"approximate: the graph of the index finds {share}, {measured}; --exact finds all"


class StoredVectors:
    """The vectors of an index in a folder, mapped into memory, and the graphs of its blocks.

    Example:

        >>> from kakera.retrieval.blocks import Block, Blocks
        >>> from kakera.retrieval.folder import write_folder
        >>> from kakera.retrieval.index import IndexInfo, empty_rows
        >>> inputs = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}
        >>> info = IndexInfo("0f", "runs/mae", "a", "/", "pictures", "class", False, inputs, (4, 4))
        >>> rows = empty_rows(2) | {"block": np.zeros(2, np.int64), "row": np.arange(2)}
        >>> fields = (rows[name] for name in ("key", "start", "end", "columns"))
        >>> blocks = Blocks([Block(*fields, values=np.eye(2, dtype=np.float32))])
        >>> write_folder(Path("index"), info, rows, blocks, "0f")
        >>> places, cosines = StoredVectors(Path("index")).exact(np.eye(2, dtype=np.float32)[:1], 2)
        >>> places.tolist(), cosines.tolist()
        ([[0, 1]], [[1.0, 0.0]])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info, self.content = read_info(folder)
        try:
            self.names = [Path(str(name)).stem for name in self.content["blocks"]]
            self.table = folder / str(self.content["rows"])
        except (KeyError, TypeError) as error:
            raise damaged(str(folder), f"{INDEX} cannot be read") from error
        self._graphs: dict[int, Graph] = {}
        self._blocks: dict[int, Vectors] = {}

    def block(self, number: int) -> Vectors:
        """Return the vectors of a block, mapped. Raises DataError if it is missing or cut off."""
        name = f"{self.names[number]}.npz"
        if number not in self._blocks:
            try:
                self._blocks[number] = map_arrays(self.folder / VECTORS / name, ["vector"])["vector"]
            except DataError as error:
                raise damaged_block(self.folder, name) from error
        return self._blocks[number]

    def graph(self, number: int) -> Graph:
        """Return the graph of a block. Raises DataError, and MissingExtraError without usearch."""
        if number not in self._graphs:
            self._graphs[number] = open_graph(self.folder, self.names[number])
        return self._graphs[number]

    def exact(self, queries: Vectors, count: int) -> tuple[Places, Vectors]:
        """Return the places (q, count) and cosines of the nearest vectors to queries (q, d) of length 1."""
        best = _Best(len(queries), count)
        for number in range(len(self.names)):
            rows, cosines, _ = nearest(unit_length(self.block(number)), queries, count)
            best.add(number, rows, cosines)
        return best.places, best.cosines

    def approximate(self, queries: Vectors, count: int, expansion: int) -> tuple[Places, Vectors]:
        """Return what `exact` does, by the graphs; a few of the nearest vectors can be missing."""
        wide = MARGIN * count + MORE
        best = _Best(len(queries), wide)
        for number in range(len(self.names)):
            vectors = self.block(number)
            if len(vectors) <= SMALL:
                rows, cosines, _ = nearest(unit_length(vectors), queries, wide)
            else:
                rows, cosines = self.graph(number).nearest(queries, wide, expansion)
            best.add(number, rows, cosines)
        return self._compared_again(queries, best.places, count)

    def _compared_again(self, queries: Vectors, places: Places, count: int) -> tuple[Places, Vectors]:
        """Return the nearest of these places (q, n) and of the copies of their vectors, by stored vectors."""
        found, cosines = np.full((len(queries), count), -1, np.int64), np.full((len(queries), count), -np.inf)
        for query, mine in enumerate(places):
            own = self._with_copies(mine[mine >= 0])
            scores = unit_length(self.gather(own)) @ queries[query] if len(own) else np.zeros(0)
            order = np.argsort(-scores, kind="stable")[:count]
            found[query, : len(order)], cosines[query, : len(order)] = own[order], scores[order]
        return found, cosines.astype(np.float32)

    def _with_copies(self, places: Places) -> Places:
        parts = [np.zeros(0, np.int64)]
        for number in np.unique(places >> SHIFT).tolist():
            rows = places[places >> SHIFT == number] & ((1 << SHIFT) - 1)
            if number in self._graphs:
                rows = self._graphs[number].with_copies(rows)
            parts.append(rows | number << SHIFT)
        return np.concatenate(parts)

    def gather(self, places: Places) -> Vectors:
        """Return the vectors (n, d) at these places. Raises DataError if a block is damaged."""
        blocks, rows = places >> SHIFT, places & ((1 << SHIFT) - 1)
        if len(places) and not 0 <= int(blocks.min()) <= int(blocks.max()) < len(self.names):
            raise damaged(str(self.folder), "its table of rows does not fit")
        found: Vectors | None = None
        for number in np.unique(blocks).tolist():
            values, here = self.block(number), np.flatnonzero(blocks == number)
            width = values.shape[1:] if found is None else found.shape[1:]
            if int(rows[here].max()) >= len(values) or values.shape[1:] != width:
                raise damaged(str(self.folder), "its table of rows does not fit")
            if found is None:
                found = np.zeros((len(places), values.shape[1]), np.float32)
            found[here] = values[rows[here]]
        return np.zeros((0, 1), np.float32) if found is None else found

    def candidates(self, queries: Vectors, contents: NDArray[np.uint8], count: int) -> Index:
        """Return an index of the rows that are near the queries (q, d), and those with the content of one.

        `contents` (q, 16) are the keys of the queries, as in `Index`; 0 for none.
        """
        found = graph_info(self.content)
        assert found is not None
        arrays = map_arrays(self.table, [*ROWS, "block", "row"])
        if len({len(values) for values in arrays.values()}) > 1:
            raise damaged(str(self.folder), "its table of rows does not fit")
        same, most = _rows_of_contents(arrays["content"], contents)
        count = min(count + most + MORE, len(arrays["row"]))
        wanted = self._used(unit_length(queries), count, found.expansion, arrays["block"], arrays["row"])
        picked = [same]
        for first in range(0, len(arrays["row"]), CHUNK):
            part = slice(first, first + CHUNK)
            own = arrays["block"][part].astype(np.int64) << SHIFT | arrays["row"][part]
            picked.append(first + np.flatnonzero(np.isin(own, wanted)))
        rows = np.unique(np.concatenate(picked))
        place = arrays["block"][rows].astype(np.int64) << SHIFT | arrays["row"][rows]
        chosen = {name: np.array(arrays[name][rows]) for name in ROWS}
        if not all(_is_text(chosen[name]) for name in ("file", "part", "label")):
            raise damaged(str(self.folder), "its table of rows has other bytes than text")
        return checked(Index(self.info, chosen, self.gather(place)), str(self.folder))

    def _used(
        self, queries: Vectors, count: int, expansion: int, block: NDArray[Any], row: NDArray[Any]
    ) -> Places:
        """Return the places of `count` near vectors of each query that the table (n,) uses.

        Blocks also have vectors of files that were dropped. Where these are near a query, more are searched.
        """
        begins = np.cumsum([0, *(len(self.block(number)) for number in range(len(self.names)))])
        used, total = np.zeros(begins[-1], bool), int(begins[-1])
        for first in range(0, len(row), CHUNK):
            number, own = (each[first : first + CHUNK].astype(np.int64) for each in (block, row))
            inside = number.min() >= 0 and number.max() < len(self.names) and own.min() >= 0
            if not inside or (own >= np.diff(begins)[number]).any():
                raise damaged(str(self.folder), "its table of rows does not fit")
            used[begins[number] + own] = True
        wanted = min(count, int(used.sum()))
        while True:
            places, _ = self.approximate(queries, count, expansion)
            there = places >= 0
            found = places[there]
            there[there] = used[begins[found >> SHIFT] + (found & ((1 << SHIFT) - 1))]
            if count >= total or (there.sum(axis=1) >= wanted).all():
                return np.unique(places[there])
            count = min(2 * count, total)


def _is_text(values: NDArray[Any]) -> bool:
    """Return whether all values (n,) are text: the checksums of a mapped table are not compared."""
    if values.dtype.kind != "U" or not values.dtype.isnative:
        return False
    return not values.size or int(values.view(np.uint32).max(initial=0)) < 0x110000


def _rows_of_contents(stored: NDArray[np.uint8], contents: NDArray[np.uint8]) -> tuple[Places, int]:
    """Return the rows with the content of a query, and the largest number of them for one query."""
    known = np.ascontiguousarray(contents[contents.any(axis=1)][:, :8]).view("<u8")[:, 0]
    rows, same = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for first in range(0, len(stored), CHUNK):
        part = np.ascontiguousarray(stored[first : first + CHUNK, :8]).view("<u8")[:, 0]
        here = np.flatnonzero(np.isin(part, known))
        rows.append(first + here)
        same.append(part[here])
    _, counts = np.unique(np.concatenate(same), return_counts=True)
    return np.concatenate(rows), int(counts.max(initial=0))


class _Best:
    """The best places of each query so far."""

    def __init__(self, queries: int, count: int) -> None:
        self.places = np.full((queries, count), -1, np.int64)
        self.cosines = np.full((queries, count), -np.inf, np.float32)

    def add(self, block: int, rows: NDArray[np.int64], cosines: Vectors) -> None:
        """Add the rows (q, m) of a block; −1 for none."""
        places = np.concatenate([self.places, np.where(rows < 0, -1, rows | block << SHIFT)], axis=1)
        both = np.concatenate([self.cosines, cosines], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, : self.places.shape[1]]
        self.places, self.cosines = np.take_along_axis(places, order, 1), np.take_along_axis(both, order, 1)


def graph_info(content: Mapping[str, Any]) -> GraphInfo | None:
    """Return the description of the graphs of an index, from its index.json; None if it has no whole ones.

    Example:

        >>> graph_info({"graph": {"expansion": 64, "recall": 0.99, "queries": 200}}).recall
        0.99
    """
    try:
        found = content[GRAPH]
        about = GraphInfo(int(found["expansion"]), float(found["recall"]), int(found["queries"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return about if 1 <= about.expansion <= WIDEST and 0 <= about.recall <= 1 else None
