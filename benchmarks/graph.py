"""Measure the graphs of an index of synthetic vectors: python -m benchmarks.graph OUT --vectors 1000000

The vectors have 384 numbers. They lie near 2 000 centres in a space of 32 dimensions, with noise in all
numbers, as embedding vectors of pictures do; random numbers without structure have no near neighbours. The
index in OUT is written as `kakera embed --graph` writes it, then 100 other vectors are searched in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.retrieval.blocks import Block, Blocks, write_block
from kakera.retrieval.build_graphs import write_graphs
from kakera.retrieval.exact import unit_length
from kakera.retrieval.folder import LARGE, VECTORS, write_folder
from kakera.retrieval.graph_search import StoredVectors
from kakera.retrieval.index import IndexInfo, empty_rows

WIDTH, SPACE, CENTRES, QUERIES, TOP = 384, 32, 2000, 100, 10
INPUTS = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}


def vectors(count: int, seed: int) -> NDArray[np.float32]:
    """Return `count` vectors, float32 (n, 384); equal seeds give equal vectors."""
    fixed, random = np.random.default_rng(1), np.random.default_rng(seed)
    basis = fixed.standard_normal((SPACE, WIDTH), np.float32) / 6
    centres = fixed.standard_normal((CENTRES, SPACE), np.float32)
    inside = centres[random.integers(0, CENTRES, count)]
    inside += 0.5 * random.standard_normal((count, SPACE), np.float32)
    return inside @ basis + 0.1 * random.standard_normal((count, WIDTH), np.float32)


def write(folder: Path, count: int) -> None:
    """Write an index of `count` vectors without a graph."""
    info = IndexInfo("0f", "none", "none", "/", "pictures", "mean", False, INPUTS, (4, 4))
    rows = empty_rows(count)
    rows["file"] = np.array([f"{number:09d}.png" for number in range(count)])
    rows["key"][:, :8] = np.arange(1, count + 1, dtype="<u8")[:, None].view(np.uint8)
    rows["content"][:] = rows["key"]
    most = LARGE // (4 * WIDTH)
    blocks = Blocks([])
    for first in range(0, count, most):
        fields = [rows[name][first : first + most] for name in ("key", "start", "end", "columns")]
        block = Block(*fields, values=vectors(len(fields[0]), 2 + first))
        blocks.blocks.append(write_block(folder / VECTORS, "0f", block))
    places = {"block": np.arange(count) // most, "row": np.arange(count) % most}
    write_folder(folder, info, rows | places, blocks, "0f")


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Return the figures of an index of `count` vectors, which is written if it is not there."""
    if not (folder / "index.json").exists():
        write(folder, count)
    about, built = _timed(lambda: write_graphs(folder))
    queries, none = vectors(QUERIES, 1), np.zeros((QUERIES, 16), np.uint8)
    stored = StoredVectors(folder)
    _, first = _timed(lambda: stored.candidates(queries[:1], none[:1], TOP))
    _, one = _timed(lambda: stored.candidates(queries[:1], none[:1], TOP))
    _, many = _timed(lambda: stored.candidates(queries, none, TOP))
    (_, best), exact = _timed(lambda: stored.exact(unit_length(queries), TOP))
    _, cosines = stored.approximate(unit_length(queries), TOP, about.expansion)
    size = {name: _bytes(folder / name) for name in ("vectors", "graphs")}
    return {
        "vectors": count,
        "build": built,
        "expansion": about.expansion,
        "recall of its vectors": about.recall,
        "recall of other vectors": float((cosines >= best[:, -1:] - 1e-6).mean()),
        "first query": first,
        "next query": one,
        "100 queries": many,
        "100 queries, exact": exact,
        "bytes": size,
        "peak memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return found, {"wall": round(wall, 3), "processor": round(processor, 3)}


def _bytes(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder)) if folder.exists() else 0


def main(words: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    given = parser.parse_args(words)
    print(json.dumps(measure(given.out, given.vectors), indent=1))


if __name__ == "__main__":
    main()
