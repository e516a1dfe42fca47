"""A data set decoded piece by piece: what the cache has is taken from there, the rest is decoded once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.images.crop import CenterCrop
from kakera.data.images.resize import shrunken
from kakera.data.images.value_range import Ranges
from kakera.data.pictures import Pictures
from kakera.data.preload import cache
from kakera.data.preload.in_flight import decoding_bytes, in_order
from kakera.errors import StorageError, UnreadableFileError
from kakera.progress import with_progress

BYTES = 256 << 20  # of a piece, about
MOST = 1 << 14  # pictures of a piece
SLOW = 10.0  # seconds of decoding after which pictures that fit into memory go to the cache, too


@dataclass(frozen=True)
class CacheFormat:
    """How pictures are kept: `shorter` is the longest shorter side, 0 for any; evaluation sees `crop`."""

    shorter: int
    crop: CenterCrop | None
    channels: int
    ranges: Ranges = ()

    def numbers(self) -> tuple[int | str, ...]:
        """For the name of a piece."""
        extra = (repr(self.ranges),) if self.ranges else ()
        return (*extra, self.shorter, *(self.crop.numbers() if self.crop else (0, 0)), self.channels)


@dataclass
class CachePiece:
    """Some pictures in a row: their bytes, or the name under which the cache has them."""

    rows: range
    name: str
    index: cache.Index | None = None
    records: list[NDArray[np.uint8]] | None = None
    found: bool = False
    """In the cache, before or by now."""

    def held(self) -> dict[int, NDArray[np.uint8]] | str:
        """The bytes by row, or the name in the cache; nothing where it is neither."""
        if self.found or self.index is None or self.records is None:
            return self.name
        rows = self.index.entries["row"] + self.rows[0]
        return dict(zip(rows.tolist(), self.records, strict=True))


def is_unchanged(pieces: list[CachePiece]) -> bool:
    """Whether all pictures are there, and none is smaller than it was."""
    return all(piece.index is not None and not piece.index.entries["shrunken"].any() for piece in pieces)


def split_into_pieces(pictures: Pictures, cache_format: CacheFormat, average: float) -> list[CachePiece]:
    """The pieces of pictures that take `average` bytes each; those that the cache has, with their index."""
    each = int(min(max(BYTES / max(average, 1.0), 1.0), MOST))
    each = 1 << (each.bit_length() - 1)  # so that a few other files do not move the borders
    pieces: list[CachePiece] = []
    for first in range(0, len(pictures), each):
        rows = range(first, min(first + each, len(pictures)))
        piece = CachePiece(rows, "")
        if pictures.paths:
            piece.name = cache.name_of([pictures.paths[row] for row in rows], cache_format.numbers())
            piece.index = cache.find(piece.name)
            piece.found = piece.index is not None
        pieces.append(piece)
    return pieces


def decode(pictures: Pictures, pieces: list[CachePiece], cache_format: CacheFormat, *, to_disk: bool) -> None:
    """Decode the pieces that are missing; with `to_disk`, none stays in memory.

    Where the cache cannot be written, in one line, they stay in memory, and with `to_disk` as they are.
    """
    missing = [piece for piece in pieces if not piece.found]
    rows = [row for piece in missing for row in piece.rows]
    cost = decoding_bytes(pictures)
    reading = in_order(lambda i: _read(pictures, rows[i], cache_format), len(rows), lambda i: cost(rows[i]))
    shown = with_progress(reading, "read", total=len(rows))
    began, waiting, refused = time.monotonic(), list[CachePiece](), False
    for piece in missing:
        _fill(piece, shown)
        waiting.append(piece)
        if not piece.name or refused or not (to_disk or time.monotonic() - began > SLOW):
            continue
        try:
            while waiting:
                _store(waiting[0])
                waiting.pop(0)
        except StorageError as error:
            refused = True
            cache.print_line(f"cache: not written ({error})")
            if to_disk:
                for left in waiting:
                    left.index = left.records = None
                return
    next(shown, None)  # that the last one is done is shown, too


def table(pieces: list[CachePiece], count: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """For each of `count` pictures the number of its piece, −1 for none, and its `ENTRY` there."""
    places, entries = np.full(count, -1, np.int64), np.zeros(count, cache.ENTRY)
    for number, piece in enumerate(pieces):
        if piece.index is not None:
            rows = piece.index.entries["row"] + piece.rows[0]
            places[rows], entries[rows] = number, piece.index.entries
    return places, entries


def unreadable(pieces: list[CachePiece]) -> list[tuple[int, UnreadableFileError]]:
    """The numbers of the files that are not readable, and why."""
    return [
        (piece.rows[row], UnreadableFileError(file, reason))
        for piece in pieces
        if piece.index is not None
        for row, file, reason in piece.index.unreadable
    ]


Read = tuple[NDArray[np.uint8], tuple[int, int], bool]


def _read(pictures: Pictures, row: int, cache_format: CacheFormat) -> Read | UnreadableFileError:
    """The bytes of the picture as it is kept, its size, and whether it is smaller than it was."""
    try:
        whole: NDArray[np.uint8] = pictures.read(row)
    except UnreadableFileError as error:
        return error
    kept = shrunken(whole, cache_format.shorter)
    size, smaller = (kept.shape[0], kept.shape[1]), kept is not whole
    values = np.ascontiguousarray(kept).reshape(-1)
    if smaller and cache_format.crop is not None:
        values = np.concatenate([values, cache_format.crop(whole).reshape(-1)])
    return values, size, smaller


def _fill(piece: CachePiece, reading: Iterator[Read | UnreadableFileError]) -> None:
    records: list[NDArray[np.uint8]] = []
    entries: list[tuple[int, ...]] = []
    broken: list[tuple[int, str, str]] = []
    start = 0
    for row, result in enumerate(islice(reading, len(piece.rows))):
        if isinstance(result, UnreadableFileError):
            broken.append((row, result.path, result.reason))
            continue
        values, (height, width), smaller = result
        crc = cache.check(values) if piece.name else 0
        entries.append((row, start, len(values), height, width, int(smaller), crc))
        records.append(values)
        start += len(values)
    piece.index = cache.Index(np.array(entries, dtype=cache.ENTRY), tuple(broken), start)
    piece.records = records


def _store(piece: CachePiece) -> None:
    assert piece.index is not None
    assert piece.records is not None
    cache.store(piece.name, piece.records, piece.index)
    piece.records, piece.found = None, True
