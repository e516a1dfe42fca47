"""`kakera search`: the files of an index that are most like a picture, a recording, or a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.searching.match_files import MatchFiles
from kakera.commands.searching.queries import Queries, open_queries
from kakera.data.sources.items import Files
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.formats.tokens.encoder import FrozenEncoder, open_encoder
from kakera.out_of_memory import memory_for
from kakera.retrieval.exact import lengths_of, nearest, unit_length
from kakera.retrieval.folder import INDEX, open_index
from kakera.retrieval.graph_search import GraphInfo, StoredVectors, graph_info
from kakera.retrieval.index import PATCHES, Index, IndexInfo

LARGE = 1e15  # lengths of vectors up to which float32 suffices


@dataclass(frozen=True)
class Match:
    """A match of a query: a picture, a recording or a window of it.

    Example:

        >>> match = Match("query.png", 1, "a.png", "train", "cat", 0.93)
        >>> match.to_json()["cosine"]
        0.93
    """

    query: str
    rank: int
    """Its place among the matches of the query, from 1 on."""
    file: str
    part: str
    label: str
    cosine: float
    start: float | None = None
    """Start and end in seconds of a recording; None for pictures."""
    end: float | None = None
    patch: tuple[int, int] | None = None
    """Row and column of the best patch, from 1 on; None in an index without patch tokens."""
    state: str = ""
    """A change of the file since it was embedded, in words; "" for none."""
    row: int = -1
    """Its row in the index."""

    def to_json(self) -> dict[str, Any]:
        """Return the match for JSON and CSV."""
        names = ("query", "rank", "file", "part", "label", "cosine", "start", "end")
        found: dict[str, Any] = {name: getattr(self, name) for name in names}
        down, right = self.patch or (None, None)
        return {**found, "patch_row": down, "patch_column": right, "state": self.state}


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The matches of all readable queries. See `search`."""

    matches: tuple[tuple[Match, ...], ...]
    """The matches of each query, best first."""
    queries: tuple[str, ...]
    left_out: tuple[tuple[str, ...], ...]
    """The files of the index that have the content of each query, and are left out."""
    unreadable: tuple[UnreadableFileError, ...]
    index: Index
    """The index; if its graph was used, only the rows near the queries."""
    opened: Queries
    encoder: FrozenEncoder
    graph: GraphInfo | None = None
    """The recall of the graph that was used; None for exact search."""


@memory_for("search", "pass fewer queries")
def search(
    index: str | Path | Index,
    queries: Files,
    *,
    init_from: str | Path = "",
    region: Sequence[float] | None = None,
    top: int = 10,
    include_query: bool = False,
    exact: bool = False,
    device: str = "auto",
) -> SearchResult:
    """Search an index for the files that are most like each query, by the cosine of their vectors.

    `index` is a result of `build_index`. `queries` are as in `predict`; for recordings, "FILE:1.5-3.0" is a
    span in seconds. `init_from` is the encoder, if it is no longer where the index was made. `region` is
    (left, top, width, height) in pixels of the only query: only its patches are pooled. `top` is the number
    of matches. Files with the content of the query (for recordings: windows that overlap it) are left out,
    unless `include_query`. The search uses the graph of the index, if it has one and unless `exact`;
    otherwise all vectors are compared. A match is a picture, a recording, or a window; in an index
    of patch tokens it has the cosine of its best patch.

    Raises DataError for an index or a query that cannot be used, OptionError, and RunError for the encoder.

    Example:

        >>> from kakera import InputSpec, ViT, open_data
        >>> from kakera.commands.build_index import build_index
        >>> from kakera.formats.bundle import Pretrained
        >>> encoder = ViT("nano", channels=1, image_size=28, seed=0)
        >>> Pretrained(encoder, InputSpec(1, 28, 28, (0.5,), (0.5,))).save("run")
        >>> demo = open_data("demo").take(range(20))
        >>> _ = build_index(demo, init_from="run", out="index.npz")
        >>> found = search("index.npz", demo.take([3]), top=2)
        >>> [match.rank for match in found.matches[0]], len(found.left_out[0])
        ([1, 2], 1)
    """
    if top < 1:
        raise OptionError("top", got=top, expected="1 or more", do="pass a larger number")
    place = index if isinstance(index, Index) else _open(index, exact)
    encoder = encoder_of_index(place.info, init_from)
    opened = open_queries(queries, encoder, place.info, region, device=device)
    graph = None if isinstance(place, Index) else graph_info(place.content)
    found = place if isinstance(place, Index) else place.candidates(opened.vectors, opened.contents, top)
    same = [_same(found, opened, number) for number in range(len(opened.vectors))]
    vectors, starts, patches = found.all_vectors()
    hidden = () if include_query else same
    lengths = lengths_of(vectors)
    if len(lengths) and not 1 / LARGE < float(lengths.min()) <= float(lengths.max()) < LARGE:
        vectors, lengths = unit_length(vectors), None  # products with such numbers can overflow
    items, cosines, rows = nearest(
        vectors,
        unit_length(opened.vectors),
        min(top, len(found)),
        hidden=hidden,
        starts=starts,
        lengths=lengths,
    )
    files = MatchFiles(found)
    names = opened.dataset.pictures.names_between(0, len(opened.dataset))
    matches = tuple(
        tuple(
            _match(found, files, name, rank, int(item), float(cosine), int(patches[row]))
            for rank, (item, cosine, row) in enumerate(zip(*one, strict=True), 1)
            if item >= 0
        )
        for name, one in zip(names, zip(items, cosines, rows, strict=True), strict=True)
    )
    left_out = tuple(
        () if include_query else tuple(dict.fromkeys(found.rows["file"][each].tolist())) for each in same
    )
    return SearchResult(matches, tuple(names), left_out, opened.unreadable, found, opened, encoder, graph)


def _open(path: str | Path, exact: bool) -> Index | StoredVectors:
    """Open an index: as a whole, or only its description, if it has a graph that is to be used."""
    if exact or not Path(path, INDEX).exists():
        return open_index(path)
    stored = StoredVectors(Path(path))
    return open_index(path) if graph_info(stored.content) is None else stored


def encoder_of_index(info: IndexInfo, init_from: str | Path = "") -> FrozenEncoder:
    """Return the encoder of an index. Raises DataError for another one, RunError if it cannot be loaded.

    See `search`.
    """
    source = init_from or info.init_from
    found = open_encoder(source)
    if found.digest() != info.encoder:
        got, do = f"{source}, whose weights are others", "pass --init-from, or run kakera embed again"
        raise DataError("encoder", got=got, expected="the encoder of the index", do=do)
    return found


def _same(index: Index, queries: Queries, number: int) -> NDArray[np.int64]:
    """Return the rows of an index with the content of a query; of recordings, those that overlap it."""
    content = queries.contents[number].view("<u8")
    if not content.any():
        return np.zeros(0, np.int64)
    stored = np.ascontiguousarray(index.rows["content"]).view("<u8")
    rows = np.flatnonzero((stored[:, 0] == content[0]) & (stored[:, 1] == content[1]))
    if index.info.kind == "recordings":
        start, end = queries.span(number)
        rows = rows[(index.rows["start"][rows] < end) & (index.rows["end"][rows] > start)]
    return rows


def _match(
    index: Index, files: MatchFiles, query: str, rank: int, row: int, cosine: float, patch: int
) -> Match:
    rows = index.rows
    start, end = (None if np.isnan(rows[name][row]) else float(rows[name][row]) for name in ("start", "end"))
    place = divmod(patch, index.info.grid[1]) if index.info.pool == PATCHES else None
    return Match(
        query,
        rank,
        str(rows["file"][row]),
        str(rows["part"][row]),
        str(rows["label"][row]),
        max(-1.0, min(1.0, cosine)),
        start,
        end,
        None if place is None else (place[0] + 1, place[1] + 1),
        files.state(row),
        row,
    )
