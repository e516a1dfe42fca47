"""Decoding of a data set piece by piece: cached pieces are reused, the others are decoded once."""

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

BYTES = 256 << 20  # approximate size of a piece
MOST = 1 << 14  # pictures in a piece, at most
SLOW = 10.0  # seconds of decoding, after which pictures that fit into memory are also written to the cache


@dataclass(frozen=True)
class CacheFormat:
    """The storage format of pictures.

    `shorter` is the largest shorter side in pixels, 0 for no limit. `crop` is the centre crop of evaluation.

    Example:

        >>> CacheFormat(shorter=8, crop=None, channels=3).numbers()
        (8, 0, 0, 3)
    """

    shorter: int
    crop: CenterCrop | None
    channels: int
    ranges: Ranges = ()

    def numbers(self) -> tuple[int | str, ...]:
        """Return the settings as numbers and text, for the name of a piece."""
        extra = (repr(self.ranges),) if self.ranges else ()
        return (*extra, self.shorter, *(self.crop.numbers() if self.crop else (0, 0)), self.channels)


@dataclass
class CachePiece:
    """A range of pictures: their bytes in memory, or their name in the cache.

    See `split_into_pieces`.
    """

    rows: range
    name: str
    index: cache.Index | None = None
    records: list[NDArray[np.uint8]] | None = None
    found: bool = False
    """True if the piece is in the cache."""

    def held(self) -> dict[int, NDArray[np.uint8]] | str:
        """Return the bytes by row, or the name in the cache ("" if the piece is in neither)."""
        if self.found or self.index is None or self.records is None:
            return self.name
        rows = self.index.entries["row"] + self.rows[0]
        return dict(zip(rows.tolist(), self.records, strict=True))


def is_unchanged(pieces: list[CachePiece]) -> bool:
    """Return True if all pieces are decoded and no picture was scaled down.

    Example:

        >>> is_unchanged([CachePiece(range(3), "")])
        False
    """
    return all(piece.index is not None and not piece.index.entries["shrunken"].any() for piece in pieces)


def split_into_pieces(pictures: Pictures, cache_format: CacheFormat, average: float) -> list[CachePiece]:
    """Split pictures of `average` bytes into pieces, and load the index of each piece in the cache.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.zeros((3, 8, 8, 1), np.uint8))
        >>> found = split_into_pieces(pictures, CacheFormat(4, None, 1), average=BYTES / 2)
        >>> [piece.rows for piece in found]
        [range(0, 2), range(2, 3)]
    """
    each = int(min(max(BYTES / max(average, 1.0), 1.0), MOST))
    each = 1 << (each.bit_length() - 1)  # a power of 2, so that a few changed files do not move the borders
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
    """Decode the missing pieces; with `to_disk`, write all of them to the cache.

    If the cache cannot be written, print one line. Then the pieces stay in memory; with `to_disk` they are
    not stored at all, and their pictures are decoded at each read.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pieces = [CachePiece(range(2), "")]
        >>> pictures = ArrayPictures(np.zeros((2, 8, 8, 1), np.uint8))
        >>> decode(pictures, pieces, CacheFormat(4, None, 1), to_disk=False)
        >>> pieces[0].index.entries["height"].tolist(), pieces[0].index.bytes
        ([4, 4], 32)
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
            cache.print_line(f"cache: decoded pictures are not stored ({error})")
            if to_disk:
                for left in waiting:
                    left.index = left.records = None
                return
    next(shown, None)  # finish the progress bar


def table(pieces: list[CachePiece], count: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the piece number (−1 for none) and the `ENTRY` of each of `count` pictures.

    Example:

        >>> entries = np.zeros(2, cache.ENTRY)
        >>> entries["row"] = [0, 2]
        >>> places, entries = table([CachePiece(range(3), "", cache.Index(entries, (), bytes=0))], count=4)
        >>> places
        array([ 0, -1,  0, -1])
    """
    places, entries = np.full(count, -1, np.int64), np.zeros(count, cache.ENTRY)
    for number, piece in enumerate(pieces):
        if piece.index is not None:
            rows = piece.index.entries["row"] + piece.rows[0]
            places[rows], entries[rows] = number, piece.index.entries
    return places, entries


def unreadable(pieces: list[CachePiece]) -> list[tuple[int, UnreadableFileError]]:
    """Return the numbers of the unreadable files, and their errors.

    Example:

        >>> index = cache.Index(np.zeros(0, cache.ENTRY), ((1, "b.png", "got a folder"),), bytes=0)
        >>> unreadable([CachePiece(range(4, 6), "", index)])
        [(5, UnreadableFileError('b.png: got a folder'))]
    """
    return [
        (piece.rows[row], UnreadableFileError(file, reason))
        for piece in pieces
        if piece.index is not None
        for row, file, reason in piece.index.unreadable
    ]


Read = tuple[NDArray[np.uint8], tuple[int, int], bool]


def _read(pictures: Pictures, row: int, cache_format: CacheFormat) -> Read | UnreadableFileError:
    """Read a picture; return its bytes in the storage format, its size, and True if it was scaled down."""
    try:
        whole: NDArray[np.uint8] = pictures.read(row)
    except UnreadableFileError as error:
        return error
    stored = shrunken(whole, cache_format.shorter)
    size, smaller = (stored.shape[0], stored.shape[1]), stored is not whole
    values = np.ascontiguousarray(stored).reshape(-1)
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
