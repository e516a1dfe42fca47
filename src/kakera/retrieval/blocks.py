"""Blocks of vectors on disk: each is written at once, so a stopped computation keeps what it has computed."""

from __future__ import annotations

import itertools
import secrets
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.preload.cache import print_line
from kakera.errors import DataError
from kakera.retrieval.files import NPZ, read_arrays, write_arrays
from kakera.retrieval.index import Index
from kakera.storage import whole_file

FIELDS = ("key", "start", "end", "columns")
Keys = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Block:
    """The vectors of m pictures, recordings or windows, in memory or in a file.

    `key` is uint8 (m, 16), see `Index`; `start` and `end` are in seconds; `columns` are patch columns before
    padding. The rows of one file follow one another.

    Example:

        >>> rows = np.zeros((1, 16), np.uint8), np.array([0.0]), np.array([1.0]), np.array([4], np.int32)
        >>> block = Block(*rows, values=np.ones((1, 8), np.float32))
        >>> len(block), block.vectors.shape, block.name
        (1, (1, 8), '')
    """

    key: Keys
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32] | None = None
    path: Path | None = None

    def __len__(self) -> int:
        return len(self.key)

    @property
    def name(self) -> str:
        """The name of its file; "" for a block in memory."""
        return "" if self.path is None else self.path.name

    @property
    def size(self) -> int:
        """The bytes of its vectors, about; 0 if its file is gone."""
        if self.values is not None:
            return self.values.nbytes
        assert self.path is not None
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors, read from the file if they are not in memory. Raises DataError if it is damaged."""
        if self.values is not None:
            return self.values
        assert self.path is not None
        return read_arrays(self.path)[0]["vector"]

    @property
    def edges(self) -> NDArray[np.int64]:
        """The first row of each file, and at the end the number of rows."""
        changes = np.flatnonzero((self.key[1:] != self.key[:-1]).any(axis=1)) + 1
        return np.concatenate([[0] * bool(len(self)), changes, [len(self)]]).astype(np.int64)

    def pieces(self, most: int) -> NDArray[np.int64]:
        """Return the edges of pieces of about `most` rows; all rows of a file are in one piece.

        `Blocks` finds the rows of a file in one block only. A file with more rows makes a larger piece.
        """
        edges, found = self.edges, [0]
        while found[-1] < len(self):
            before, after = np.searchsorted(edges, [found[-1] + most, found[-1]], "right")
            found.append(int(edges[max(before - 1, after)]))
        return np.array(found, np.int64)

    def rows(self, first: int, last: int) -> Block:
        """Return some rows of a block in memory, without a copy."""
        assert self.values is not None
        return Block(*(getattr(self, name)[first:last] for name in FIELDS), values=self.values[first:last])


def write_block(folder: Path, settings: str, block: Block) -> Block:
    """Write a block into a new file of the folder; return it without its vectors. Raises StorageError.

    `settings` is a digest of everything that its vectors depend on.

    Example:

        >>> rows = np.zeros((1, 16), np.uint8), np.array([0.0]), np.array([1.0]), np.array([4], np.int32)
        >>> _ = write_block(Path("blocks"), "0f", Block(*rows, values=np.ones((1, 8), np.float32)))
        >>> [each.vectors.shape for each in read_blocks(Path("blocks"), "0f")]
        [(1, 8)]
    """
    path = folder / f"{secrets.token_hex(8)}{NPZ}"
    arrays: dict[str, NDArray[Any]] = {name: getattr(block, name) for name in FIELDS}
    with whole_file(path) as file:
        write_arrays(file, {**arrays, "vector": block.vectors}, {"settings": settings})
    return Block(**arrays, path=path)


def read_blocks(folder: Path, settings: str) -> list[Block]:
    """Return the blocks of a folder with these settings, without their vectors; delete all others.

    A damaged block is named on stderr. See `write_block`.
    """
    found = list[Block]()
    for path in sorted(folder.glob(f"*{NPZ}")):
        try:
            with zipfile.ZipFile(path) as file:
                broken = file.testzip()
            if broken:
                raise DataError(f"{path}: damaged")
            arrays, content = _fields(path)
            if content["settings"] == settings:
                found.append(Block(**arrays, path=path))
                continue
        except (DataError, KeyError, TypeError, OSError, zipfile.BadZipFile, zlib.error):
            print_line(f"index: {path} is damaged; its vectors are computed again")
        with suppress(OSError):
            path.unlink()
    for path in folder.glob(".*.npz.*"):  # temporary files of a process that was killed while writing
        with suppress(OSError):
            path.unlink()
    return found


def _fields(path: Path) -> tuple[dict[str, NDArray[Any]], Any]:
    arrays, content = read_arrays(path, leave="vector")
    return {name: arrays[name] for name in FIELDS}, content


class Blocks:
    """The rows of several blocks, found by their keys.

    Example:

        >>> rows = np.zeros((2, 16), np.uint8), np.arange(2.0), np.arange(2.0) + 1, np.full(2, 4, np.int32)
        >>> blocks = Blocks([Block(*rows, values=np.ones((2, 8), np.float32))])
        >>> blocks.places(np.zeros((1, 16), np.uint8))
        (array([0, 0]), array([0, 0]), array([0, 1]))
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = [*blocks]
        self._places: dict[bytes, tuple[int, int, int]] = {}
        for number, block in enumerate(self.blocks):
            self._remember(number, block)

    def add(self, block: Block) -> None:
        """Add a block; keys that are known already keep their rows."""
        self.blocks.append(block)
        self._remember(len(self.blocks) - 1, block)

    def _remember(self, number: int, block: Block) -> None:
        for first, last in itertools.pairwise(block.edges.tolist()):
            self._places.setdefault(block.key[first].tobytes(), (number, first, last))

    def known(self, keys: Keys) -> NDArray[np.bool_]:
        """Return which keys (n, 16) have rows, Boolean (n,)."""
        return np.array([key.tobytes() in self._places for key in keys], bool)

    def places(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of the key, the block and the row of each row of the keys that are known."""
        found = [
            (number, *self._places[key.tobytes()])
            for number, key in enumerate(keys)
            if key.tobytes() in self._places
        ]
        table = np.array(found, np.int64).reshape(-1, 4)
        counts = table[:, 3] - table[:, 2]
        ends = np.cumsum(counts)
        inside = np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)
        own, block, first = (np.repeat(table[:, column], counts) for column in range(3))
        return own, block, first + inside

    def gather(self, name: str, block: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[Any]:
        """Return a field of the blocks, or "vectors", at these places. Raises DataError for damage."""
        found: NDArray[Any] | None = None
        for number in np.unique(block).tolist():
            values = getattr(self.blocks[number], name)
            if found is None:
                found = np.zeros((len(row), *values.shape[1:]), values.dtype)
            here = block == number
            found[here] = values[row[here]]
        return found if found is not None else getattr(_nothing(), name)


def block_of(index: Index) -> Block:
    """Return the vectors of an index as a block, with each file and window once, in the order of the keys.

    See `Blocks`.
    """
    rows = index.rows
    parts = [
        rows["key"],
        *(np.ascontiguousarray(rows[name])[:, None].view(np.uint8) for name in ("start", "end")),
    ]
    together = np.concatenate(parts, axis=1)
    _, first = np.unique(together.view(f"V{together.shape[1]}")[:, 0], return_index=True)
    order = first[np.lexsort((rows["start"][first], *rows["key"][first].T[::-1]))]
    return Block(*(rows[name][order] for name in FIELDS), values=index.vectors[order])


def _nothing() -> Block:
    return Block(
        np.zeros((0, 16), np.uint8),
        np.zeros(0),
        np.zeros(0),
        np.zeros(0, np.int32),
        np.zeros((0, 1), np.float32),
    )
