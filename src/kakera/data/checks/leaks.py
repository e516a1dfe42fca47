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

from kakera.data.audio.recordings import ArraySounds, FileSounds, Sounds
from kakera.data.audio.source import opened
from kakera.data.blocks import shape_of
from kakera.data.checks.digest import pieces_of, size_of, values_of
from kakera.data.dataset import ArrayPictures, Dataset, FilePictures, Pictures
from kakera.data.images.decode import header
from kakera.data.shards.reader import ShardPictures, ShardRecording, Shards
from kakera.errors import KakeraError

MOST = 512 << 20  # bytes that are read whole; of more, files are equal whose size, middle and end are

Leaks: TypeAlias = tuple[tuple[str, str], ...]
"""(training file, held-out file), by name."""
Samples: TypeAlias = Pictures | Sounds


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
    parts: tuple[Samples, Samples],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    key_of: Callable[[Samples, int], Hashable],
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
    parts: tuple[Samples, Samples],
    rows: tuple[Sequence[int], Sequence[int]],
    key_of: Callable[[Samples, int], Hashable],
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


def _size(samples: Samples, row: int) -> Hashable:
    """What is known without reading; None for what is empty, not here, or of another kind."""
    if isinstance(samples, FilePictures | FileSounds):
        source = samples.paths[row]
        if isinstance(source, ShardRecording) and not _here(source.shards, source.row):
            return None
        span = samples.spans[row] if isinstance(samples, FileSounds) else ()
        size = size_of(source)
        return (size, span) if size > 0 else None
    if isinstance(samples, ShardPictures):
        shards, number = samples.shards, int(samples.rows[row])
        record = shards.table[number]
        return (int(record["length"]), int(record["crc"])) if _here(shards, number) else None
    if isinstance(samples, ArrayPictures | ArraySounds):
        return shape_of(samples.arrays, int(samples.rows[row]))
    return None


def _here(shards: Shards, number: int) -> bool:
    """Whether a shard lies on this machine: none is fetched for this."""
    return shards.shards[int(shards.places[number, 0])].path.exists()


def _bytes(samples: Samples, row: int) -> int:
    if isinstance(samples, FilePictures | FileSounds):
        return max(size_of(samples.paths[row]), 0)
    if isinstance(samples, ShardPictures):
        return int(samples.shards.table[int(samples.rows[row])]["length"])
    assert isinstance(samples, ArrayPictures | ArraySounds)
    return samples.arrays[samples.rows[row]].nbytes


def _piece(samples: Samples, row: int) -> Hashable:
    if isinstance(samples, FilePictures | FileSounds):
        return _digest(pieces_of(samples.paths[row]))
    if isinstance(samples, ArrayPictures | ArraySounds):
        return _digest(values_of(samples.arrays[samples.rows[row]]))
    return b""  # a shard's index has a checksum of it


def _whole(samples: Samples, row: int) -> Hashable:
    """A digest of all of it; None where it cannot be read."""
    try:
        if isinstance(samples, FilePictures | FileSounds):
            with opened(samples.paths[row]) as file:
                return _digest(file.read())
        if isinstance(samples, ShardPictures):
            return _digest(samples.content(row))
        assert isinstance(samples, ArrayPictures | ArraySounds)
        return _digest(np.ascontiguousarray(samples.arrays[samples.rows[row]]).tobytes())
    except (OSError, KakeraError):
        return None


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _readable(dataset: Dataset, row: int) -> bool:
    """Whether the header of a file is whole; files that are equal and broken are no leak."""
    pictures = dataset.pictures
    try:
        if isinstance(pictures, FilePictures):
            header(pictures.paths[row])
        elif dataset.sounds is not None:
            dataset.sounds.length(row)
    except KakeraError:
        return False
    return True
