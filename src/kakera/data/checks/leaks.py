"""Validation and test files that are also training files: equal bytes, detected before any file is decoded.

Sizes are compared first, then a piece of the content, then all of it; each step reads only files that may
still equal a file of the other part. `kakera.data.checks.inspect` compares decoded values instead, and so
also detects copies in another format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.source import opened
from kakera.data.checks.digest import pieces_of, size_of, values_of
from kakera.data.dataset import Dataset
from kakera.data.pictures import Pictures
from kakera.data.sounds import Sounds
from kakera.errors import KakeraError

MOST = 512 << 20  # bytes up to which files are read whole; above, equal size, middle and end are enough

Leaks: TypeAlias = tuple[tuple[str, str], ...]
"""(training file, held-out file) pairs of names."""


def leaks(train: Dataset, held_out: Dataset) -> Leaks:
    """Return a pair of names for each held-out file with the same bytes as a training file.

    Files on disk, in local shards, and arrays are compared; other sources give no pair. Unreadable files are
    skipped.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> demo = open_dataset("demo")
        >>> leaks(demo.take([0]), demo.take([0, 1]))
        (('t10k-images-idx3-ubyte[0]', 't10k-images-idx3-ubyte[0]'),)
    """
    parts = (train.pictures, held_out.pictures)
    rows = (np.arange(len(train)), np.arange(len(held_out)))
    for key_of in (_size, _piece):
        rows = _alike(parts, rows, key_of)
    keys = _equal(parts, (rows[0].tolist(), rows[1].tolist()), _size)
    keys = _equal(parts, (list(keys[0]), list(keys[1])), _piece, keys)
    total = sum(_bytes(part, row) for part, found in zip(parts, keys, strict=True) for row in found)
    if total <= MOST:
        keys = _equal(parts, (list(keys[0]), list(keys[1])), _whole, keys)
    owner = {key: row for row, key in reversed(keys[0].items())}
    pairs = ((owner[key], row) for row, key in keys[1].items() if _readable(held_out, row))
    return tuple((train.pictures.name(first), held_out.pictures.name(second)) for first, second in pairs)


def _alike(
    parts: tuple[Pictures, Pictures],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    key_of: Callable[[Pictures, int], Hashable],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of both parts whose key the other part may have too; only hashes are stored."""
    first, second = (
        np.fromiter((_code(key_of(part, row)) for row in map(int, chosen)), np.int64, len(chosen))
        for part, chosen in zip(parts, rows, strict=True)
    )
    both = np.intersect1d(first, second)
    both = both[both != 0]
    return rows[0][np.isin(first, both)], rows[1][np.isin(second, both)]


def _code(key: Hashable) -> int:
    """Return a hash of the key; 0 only for None."""
    return 0 if key is None else hash(key) or 1


Keys: TypeAlias = tuple[dict[int, Hashable], dict[int, Hashable]]


def _equal(
    parts: tuple[Pictures, Pictures],
    rows: tuple[Sequence[int], Sequence[int]],
    key_of: Callable[[Pictures, int], Hashable],
    before: Keys | None = None,
) -> Keys:
    """Return the keys of the rows whose key both parts have; a key includes the earlier ones."""
    found: list[dict[int, Hashable]] = []
    for number, (part, chosen) in enumerate(zip(parts, rows, strict=True)):
        keys = ((row, key_of(part, row)) for row in chosen)
        earlier = before[number] if before else dict.fromkeys(chosen)
        found.append({row: (earlier[row], key) for row, key in keys if key is not None})
    both = set(found[0].values()) & set(found[1].values())
    first, second = ({row: key for row, key in keys.items() if key in both} for keys in found)
    return first, second


def _size(samples: Pictures, row: int) -> Hashable:
    """Return the facts that need no reading; None for an empty or remote file, or another kind of source."""
    if not samples.is_local(row):  # nothing is downloaded for this check
        return None
    if samples.paths:
        span = samples.spans[row] if isinstance(samples, Sounds) else ()
        size = size_of(samples.paths[row])
        return (size, span) if size > 0 else None
    record = samples.record(row)
    if record is not None:
        return int(record["length"]), int(record["crc"])
    return samples.shape(row) if samples.in_memory else None


def _bytes(samples: Pictures, row: int) -> int:
    if samples.paths:
        return max(size_of(samples.paths[row]), 0)
    record = samples.record(row)
    return samples.read(row).nbytes if record is None else int(record["length"])


def _piece(samples: Pictures, row: int) -> Hashable:
    if samples.paths:
        return _digest(pieces_of(samples.paths[row]))
    if samples.in_memory:
        return _digest(values_of(samples.read(row)))
    return b""  # the shard's index has a checksum of the content


def _whole(samples: Pictures, row: int) -> Hashable:
    """Return a digest of the whole content; None if it cannot be read."""
    try:
        if samples.paths:
            with opened(samples.paths[row]) as file:
                return _digest(file.read())
        if samples.in_memory:
            return _digest(np.ascontiguousarray(samples.read(row)).tobytes())
        return _digest(samples.content(row))
    except (OSError, KakeraError):
        return None


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _readable(dataset: Dataset, row: int) -> bool:
    """Return True if the header of a file is readable; two equal damaged files are not a leak."""
    pictures = dataset.pictures
    try:
        if dataset.sounds is not None:
            dataset.sounds.length(row)
        elif pictures.paths:
            pictures.size(row)
    except KakeraError:
        return False
    return True
