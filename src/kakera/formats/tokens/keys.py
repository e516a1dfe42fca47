"""Keys of the token cache: a digest of the content of each file. Does not import torch.

A key covers the bytes of an encoded file (for a recording also its span), or the values of an array. Names,
labels, parts and the order of files are not in it, so changing them keeps all tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.source import Source, opened
from kakera.data.dataset import Dataset
from kakera.data.pictures import Pictures
from kakera.data.preload.kept import CachedPictures
from kakera.data.sounds import WHOLE, Sounds
from kakera.errors import KakeraError

BYTES = 16  # of a key
PIECE = 1 << 20
Key: TypeAlias = bytes


def file_keys(dataset: Dataset) -> list[Key]:
    """Return the key of each file or recording, 16 bytes; b"" for one that cannot be read.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> first, second, again = file_keys(open_dataset("demo").take([0, 1, 0]))
        >>> len(first), first == again, first == second
        (16, True, False)
    """
    return keys_and_contents(dataset)[0]


def keys_and_contents(dataset: Dataset) -> tuple[list[Key], list[Key]]:
    """Return the keys of `file_keys`, and the same without the span of a recording: the keys of whole files.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> keys, contents = keys_and_contents(open_dataset("demo").take([0, 1]))
        >>> keys == contents
        True
    """
    if dataset.sounds is not None:
        found = [*_recordings(dataset.sounds)]
        return [key for key, _ in found], [content for _, content in found]
    pictures, rows = dataset.pictures, np.arange(len(dataset))
    if isinstance(pictures, CachedPictures):  # decoded from these files
        pictures, rows = pictures.source, pictures.rows
    keys = [*_pictures(pictures, rows)]
    return keys, keys


def mirrored_key(key: Key) -> Key:
    """Return the key of a mirrored picture from that of the picture; b"" for none.

    Example:

        >>> len(mirrored_key(bytes(16))), mirrored_key(b"")
        (16, b'')
    """
    return _key(b"mirrored", key) if key else b""


def keys_of_source(dataset: Dataset, source: Dataset) -> list[Key]:
    """Return the keys of decoded files: those of the files that they were decoded from.

    `source` is the data set before `preload`, which keeps names and order. Recordings and arrays have their
    own keys.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> demo = open_dataset("demo").take([0, 1])
        >>> keys_of_source(demo, demo) == file_keys(demo)
        True
    """
    if source.sounds is not None or not source.pictures.on_disk or dataset.pictures.on_disk:
        return file_keys(dataset)
    places = {name: row for row, name in enumerate(source.pictures.names_between(0, len(source)))}
    names = dataset.pictures.names_between(0, len(dataset))
    rows = [places.get(name, -1) for name in names]
    if -1 in rows:
        return file_keys(dataset)
    return file_keys(source.take(rows))


def _pictures(pictures: Pictures, rows: NDArray[np.int64]) -> Iterator[Key]:
    for row in rows.tolist():
        try:
            if pictures.has_file(row):
                yield _key(b"file", pictures.content(row))
            else:
                yield _of_array(pictures.read(row))
        except (KakeraError, OSError):
            yield b""


def _recordings(sounds: Sounds) -> Iterator[tuple[Key, Key]]:
    """Yield the key of each recording, and that of its whole file."""
    files: dict[str, bytes] = {}
    for row in range(len(sounds)):
        try:
            if not len(sounds.paths):
                key = _of_array(sounds.read(row))
                yield key, key
                continue
            source = sounds.paths[row]
            name = str(source)
            if isinstance(source, bytes) or name not in files:  # a long recording may have many spans
                files[name] = _of_source(source)
            span = sounds.spans[row] if len(sounds.spans) else ""
            key, content = (_key(b"recording", files[name], repr(each).encode()) for each in (span, WHOLE))
            yield key, content
        except (KakeraError, OSError):
            yield b"", b""


def _of_source(source: Source) -> bytes:
    digest = hashlib.blake2b(digest_size=BYTES)
    with opened(source) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.digest()


def _of_array(values: NDArray[Any]) -> Key:
    return _key(f"{values.dtype} {values.shape}".encode(), np.ascontiguousarray(values).data)


def _key(*parts: bytes | memoryview) -> Key:
    digest = hashlib.blake2b(digest_size=BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
