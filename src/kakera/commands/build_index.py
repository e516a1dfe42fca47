"""`kakera embed`: write the embedding vectors of a data set as an index, or update one."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.indexing.processes import EmbedProcesses, start_processes
from kakera.commands.indexing.setup import (
    IndexSetup,
    changes,
    check_out,
    labels_of,
    open_index_setup,
    require_same,
)
from kakera.commands.indexing.vectors import add_missing
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind
from kakera.errors import DataError, KakeraError, OptionError, UnreadableFileError
from kakera.option_fields import AUTO, Auto
from kakera.out_of_memory import memory_for
from kakera.retrieval.blocks import Blocks, block_of, read_blocks
from kakera.retrieval.build_graphs import write_graphs
from kakera.retrieval.files import read_file, write_file
from kakera.retrieval.folder import (
    GRAPH,
    INDEX,
    UNFINISHED,
    VECTORS,
    read_info,
    read_rows,
    write_folder,
)
from kakera.retrieval.graph_search import GraphInfo
from kakera.retrieval.graphs import usearch
from kakera.retrieval.index import ROWS, Index, IndexInfo
from kakera.storage import storing
from kakera.training.lock import LOCK, locked


@dataclass(frozen=True, eq=False)
class BuiltIndex:
    """An index that `build_index` has written.

    Example:

        >>> BuiltIndex(Path("index"), 20, 20, 5, (), ("5 new",)).lines()
        ['index: 20 vectors of 20 files, 5 computed now: 5 new']
    """

    path: Path
    vectors: int
    """The number of pictures, recordings or windows."""
    files: int
    computed: int
    """The number of files whose vectors were not stored anywhere."""
    unreadable: tuple[UnreadableFileError, ...]
    changes: tuple[str, ...]
    """The changes since the last run, in words; empty for a new index."""
    graph: GraphInfo | None = None
    """The recall of its graph; None without one."""

    def lines(self) -> list[str]:
        """Return the result, a line for the vectors and one for the graph."""
        vectors, files = "vector" + "s" * (self.vectors != 1), "file" + "s" * (self.files != 1)
        many = f"{self.vectors:,} {vectors} of {self.files:,} {files}, {self.computed:,} computed now"
        lines = [f"{self.path}: {many}" + (f": {'; '.join(self.changes)}" if self.changes else "")]
        return lines if self.graph is None else [*lines, f"{self.path}: {self.graph.line()}"]


@memory_for("embed", "lower --workers, or embed parts of the data into several indexes")
def build_index(
    data: str | Path | Dataset,
    *,
    init_from: str | Path,
    out: str | Path,
    pool: str = AUTO,
    tokens: bool = False,
    windows: bool = False,
    graph: bool = False,
    kind: Kind = "any",
    workers: int | Auto = AUTO,
    device: str = AUTO,
    devices: int | Auto = AUTO,
    nodes: int | Auto = AUTO,
) -> BuiltIndex:
    """Write the embedding vectors of all files of a data set as an index for `search`, or update the index.

    `data` is as in `open_data`, `init_from` the encoder: a run, or weights of another library. `out` is an
    .npz file, a .parquet file (with pyarrow), or a folder. A second call adds new files, embeds changed files
    again, and drops files that are no longer there. Nothing is computed twice for the same content: a stopped
    call resumes, and pooled vectors of whole files come from the token cache that `fit` and `probe` use.

    `pool` is as in `kakera.embed`; `tokens` stores a vector for each patch instead, after the final norm.
    `windows` stores vectors for each window of a recording instead of their mean. `graph` also writes a
    graph of the vectors into the folder, for approximate search in millions (with usearch); later calls
    update it.
    `workers` and `device` are
    as in `predict`. `devices` processes on each of `nodes` machines, or those of torchrun or SLURM, each
    compute their share; `out` is then on a file system that all of them have, and the first one writes it.

    Raises OptionError, DataError, RunError, StorageError, and MissingExtraError for Parquet without pyarrow
    or a graph without usearch.

    Example:

        >>> from kakera import InputSpec, ViT, open_data
        >>> from kakera.formats.bundle import Pretrained
        >>> encoder = ViT("nano", channels=1, image_size=28, seed=0)
        >>> Pretrained(encoder, InputSpec(1, 28, 28, (0.5,), (0.5,))).save("run")
        >>> demo = open_data("demo").take(range(20))
        >>> build_index(demo, init_from="run", out="index.npz").vectors
        20
    """
    path = check_out(out)
    folder = None if path.suffix and not path.is_dir() else path
    work = folder or path.with_name(path.name + UNFINISHED)
    before = _before(path, folder)
    graph = graph or (before is not None and before.graph)
    if graph:
        _require_graph(path, folder, tokens)
    old = None if before is None else before.info
    processes = start_processes(devices, nodes, device)
    options: dict[str, Any] = {"pool": pool, "tokens": tokens, "windows": windows, "kind": kind, "old": old}
    try:
        setup = open_index_setup(data, init_from, **options, processes=processes)
        if old is not None:
            require_same(old, setup.info, str(path))
    except KakeraError as error:
        if processes.dist is None:
            raise
        processes.dist.raise_on_rank_zero(error)
    if not processes.is_main:
        return _follow(setup, work / VECTORS, processes, workers, device)
    with storing(work):
        work.mkdir(parents=True, exist_ok=True)
    with _kept(work, folder is None), locked(work):
        blocks = Blocks(read_blocks(work / VECTORS, setup.settings))
        if before is not None and before.index is not None:
            blocks.add(block_of(before.index))
        computed, unreadable = add_missing(
            setup, blocks, work / VECTORS, workers=workers, device=device, processes=processes
        )
        rows = _rows(setup, blocks)
        if folder is not None:
            write_folder(folder, setup.info, rows, blocks, setup.settings, graph=graph)
        else:
            values = blocks.gather("vectors", rows["block"], rows["row"])
            write_file(path, Index(setup.info, {name: rows[name] for name in ROWS}, values))
            for block in blocks.blocks:
                if block.path is not None:
                    block.path.unlink(missing_ok=True)
        about = write_graphs(folder) if graph and folder is not None else None
    names = setup.dataset.pictures.names_between(0, len(setup.dataset))
    found: tuple[str, ...] = ()
    if before is not None:
        embedded = set(rows["file"].tolist())
        found = tuple(changes(before.rows, before.info.folder, names, setup.keys, embedded))
    files = len(setup.dataset) - len(unreadable)
    built = BuiltIndex(path, len(rows["file"]), files, computed, unreadable, found, about)
    return built if processes.dist is None else processes.dist.on_rank_zero(lambda: built)


def _follow(
    setup: IndexSetup, folder: Path, processes: EmbedProcesses, workers: int | Auto, device: str
) -> BuiltIndex:
    """Compute the share of a process that is not the main one; return the index that the main one wrote."""
    assert processes.dist is not None
    add_missing(setup, Blocks([]), folder, workers=workers, device=device, processes=processes)
    with processes.dist.detect_lost_process():
        return processes.dist.on_rank_zero(_nothing)


def _nothing() -> BuiltIndex:
    raise AssertionError("only the main process writes the index")


@dataclass(frozen=True, eq=False)
class _Before:
    """The index that is there already: its description, its rows, and for one in a file its vectors."""

    info: IndexInfo
    rows: Mapping[str, NDArray[Any]]
    index: Index | None = None
    graph: bool = False


def _require_graph(path: Path, folder: Path | None, tokens: bool) -> None:
    """Raise OptionError if an index cannot have a graph, and MissingExtraError without usearch."""
    if folder is None:
        do = "pass --out with a name without suffix"
        raise OptionError("--graph", got=str(path), expected="an index in a folder", do=do)
    if tokens:
        do = "remove one of them; patch tokens are searched exactly"
        raise OptionError("--graph", got="--tokens as well", expected="one vector for each row", do=do)
    usearch()


def _before(path: Path, folder: Path | None) -> _Before | None:
    if folder is None:
        if not path.exists():
            return None
        index = read_file(path)
        return _Before(index.info, index.rows, index)
    if not (folder / INDEX).exists():
        return None
    info, content = read_info(folder)
    return _Before(info, read_rows(folder, content), graph=GRAPH in content)


def _rows(setup: IndexSetup, blocks: Blocks) -> dict[str, NDArray[Any]]:
    """Return the rows of the new index, with the places of their vectors."""
    own, block, row = blocks.places(setup.keys)
    if not len(own):
        got, do = "no readable file", "check the files"
        raise DataError(setup.dataset.name, got=got, expected="at least one", do=do)
    dataset = setup.dataset
    names = np.array(dataset.pictures.names_between(0, len(dataset)))
    found: dict[str, NDArray[Any]] = {
        "file": names[own],
        "part": np.asarray(dataset.split)[own],
        "label": np.array(labels_of(dataset))[own],
        **{name: blocks.gather(name, block, row) for name in ("start", "end", "columns")},
        "key": setup.keys[own],
        "content": setup.contents[own],
    }
    return {**found, "block": block, "row": row}


@contextmanager
def _kept(work: Path, temporary: bool) -> Generator[None]:
    """Delete the folder of an unfinished index in one file at the end, unless it has vectors."""
    try:
        yield
    finally:
        if temporary:
            with suppress(OSError):
                (work / VECTORS).rmdir()
            if not (work / VECTORS).exists():
                with suppress(OSError):
                    (work / LOCK).unlink()
                    work.rmdir()
