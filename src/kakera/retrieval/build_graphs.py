"""Build the graphs of an index, and measure how many of the nearest vectors they find."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from kakera.errors import DataError
from kakera.progress import Progress
from kakera.retrieval.exact import unit_length
from kakera.retrieval.folder import GRAPH, INDEX, SHIFT
from kakera.retrieval.graph_search import TOP, GraphInfo, StoredVectors
from kakera.retrieval.graphs import GRAPHS, SMALL, SUFFIX, open_graph, write_graph
from kakera.storage import storing, write_atomically

SAMPLE = 200  # vectors that the recall is measured with
EXPANSIONS, ENOUGH = (64, 128, 256, 512), 0.99
"""Numbers of vectors that a search may look at; the first one is taken that reaches this recall."""


def write_graphs(folder: Path) -> GraphInfo:
    """Build the graphs that an index in a folder lacks, measure their recall, and write it into index.json.

    Blocks of at most 20 000 vectors need none. Raises DataError, StorageError, and MissingExtraError without
    usearch. See `StoredVectors`.
    """
    stored = StoredVectors(folder)
    missing = list[int]()
    for number, name in enumerate(stored.names):
        if len(stored.block(number)) > SMALL:
            try:
                open_graph(folder, name, whole=True)
            except DataError:
                missing.append(number)
    sizes = [len(stored.block(number)) for number in missing]
    with Progress("graph", total=sum(sizes), kind="vectors") as progress:
        for number in missing:
            write_graph(folder, stored.names[number], np.array(stored.block(number)), progress.advance)
    with storing(folder):
        for path in folder.glob(f"{GRAPHS}/*"):  # also temporary files of a process that was killed
            if path.suffix not in (SUFFIX, ".npz") or path.stem not in stored.names:
                with suppress(FileNotFoundError):
                    path.unlink()
    found = _measured(stored)
    content = {**stored.content, GRAPH: asdict(found)}
    write_atomically(folder / INDEX, json.dumps(content, indent=1).encode() + b"\n")
    return found


def _measured(stored: StoredVectors) -> GraphInfo:
    """Return the smallest expansion with enough recall, and this recall, for some vectors of the index."""
    sizes = np.array([len(stored.block(number)) for number in range(len(stored.names))], np.int64)
    ends = np.cumsum(sizes)
    chosen = np.sort(np.random.default_rng(0).permutation(int(ends[-1]))[:SAMPLE])
    block = np.searchsorted(ends, chosen, side="right")
    places = block << SHIFT | chosen - (ends - sizes)[block]
    queries = unit_length(stored.gather(places))
    wide = TOP + 1  # the query itself is not a neighbour
    own, cosines = stored.exact(queries, wide)
    others = (own >= 0) & (own != places[:, None])
    lowest = np.array(
        [each[there][:TOP].min(initial=1.0) for each, there in zip(cosines, others, strict=True)]
    )
    wanted = np.minimum(others.sum(axis=1), TOP)
    found = GraphInfo(EXPANSIONS[-1], 0.0, len(places))
    for expansion in EXPANSIONS:
        own, cosines = stored.approximate(queries, wide, expansion)
        right = (own >= 0) & (own != places[:, None]) & (cosines >= lowest[:, None] - 1e-6)
        every = int(wanted.sum())
        recall = float(np.minimum(right.sum(axis=1), wanted).sum()) / every if every else 1.0
        found = GraphInfo(expansion, recall, len(places))
        if recall >= ENOUGH:
            break
    return found
