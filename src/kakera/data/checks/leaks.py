"""Files to measure on that are training files as well: equal bytes, found before anything is decoded.

Sizes are compared first, then a piece of the content, then all of it, each time only of files that one of
the other part may still equal. `kakera.data.checks.inspect` compares decoded values
instead, which also finds copies in another format.
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

MOST = 512 << 20  # bytes that are read whole; of more, files are equal whose size, middle and end are

Leaks: TypeAlias = tuple[tuple[str, str], ...]
"""(training file, held-out file), by name."""


def leaks(train: Dataset, held_out: Dataset) -> Leaks:
    """Return a pair of names for each held-out file that holds the same bytes as a training file.

    Compares files on disk, in shards that are here, and arrays; other sources give no pair. Files that cannot
    be read are left out.
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
    """The rows of both parts whose key the other part may have too: only a hash of each is held."""
    first, second = (
        np.fromiter((_code(key_of(part, row)) for row in map(int, chosen)), np.int64, len(chosen))
        for part, chosen in zip(parts, rows, strict=True)
    )
    both = np.intersect1d(first, second)
    both = both[both != 0]
    return rows[0][np.isin(first, both)], rows[1][np.isin(second, both)]


def _code(key: Hashable) -> int:
    """0 for None alone."""
    return 0 if key is None else hash(key) or 1


Keys: TypeAlias = tuple[dict[int, Hashable], dict[int, Hashable]]


def _equal(
    parts: tuple[Pictures, Pictures],
    rows: tuple[Sequence[int], Sequence[int]],
    key_of: Callable[[Pictures, int], Hashable],
    before: Keys | None = None,
) -> Keys:
    """The keys of the rows of both parts, the earlier ones included, of those that both parts have."""
    found: list[dict[int, Hashable]] = []
    for number, (part, chosen) in enumerate(zip(parts, rows, strict=True)):
        keys = ((row, key_of(part, row)) for row in chosen)
        earlier = before[number] if before else dict.fromkeys(chosen)
        found.append({row: (earlier[row], key) for row, key in keys if key is not None})
    both = set(found[0].values()) & set(found[1].values())
    first, second = ({row: key for row, key in keys.items() if key in both} for keys in found)
    return first, second


def _size(samples: Pictures, row: int) -> Hashable:
    """What is known without reading; None for what is empty, not here, or of another kind."""
    if not samples.is_here(row):  # none is fetched for this
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
    return b""  # a shard's index has a checksum of it


def _whole(samples: Pictures, row: int) -> Hashable:
    """A digest of all of it; None where it cannot be read."""
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
    """Whether the header of a file is whole; files that are equal and broken are no leak."""
    pictures = dataset.pictures
    try:
        if dataset.sounds is not None:
            dataset.sounds.length(row)
        elif pictures.paths:
            pictures.size(row)
    except KakeraError:
        return False
    return True
