"""A short digest of a data set: a resumed run must have the same files, labels and split.

Names are relative to the folder that all files share, so that a copy elsewhere has the same digest. Nothing
is decoded; the time is linear in the number of files. For a folder of 100 000 files or more the digest is
stored. While no file is added, removed or renamed, the sizes and the content of 4096 files represent all
files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.arrow.reader import StoredRecording
from kakera.data.audio.source import AudioSource, Source
from kakera.data.dataset import Dataset
from kakera.data.folders.listing import LARGE, recalled_digest, store_digest
from kakera.data.names import BLOCK, Paths, relative
from kakera.data.pictures import Pictures
from kakera.data.shards.reader import ShardRecording

FILES, LABELS, SPLIT = "files", "labels", "split"
SAMPLED = 4096  # evenly spaced files whose content is compared too
PIECE = 4096  # bytes from the middle and from the end of each file; values of an array


def digest(dataset: Dataset) -> dict[str, str]:
    """Return short digests of the files, of the labels with their classes, and of the split.

    The digest of the files covers names, sizes and some content. The size is that of the file in bytes, or
    the shape of an array. For arrays named by paths only the names count, because the size of stored decoded
    pictures depends on the machine.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> demo = open_dataset("demo")
        >>> [*digest(demo)], digest(demo) == digest(demo)
        (['files', 'labels', 'split'], True)
    """
    return {
        FILES: _kept(dataset) or _hash(_files(dataset)),
        LABELS: _hash([_joined([dataset.classes]), _labels(dataset)]),
        SPLIT: _hash([_joined(dataset.split[here].tolist() for here in _blocks(len(dataset)))]),
    }


def changed(before: object, now: object) -> list[str]:
    """Return which of files, labels and split differ; an empty list if a digest is missing (older runs).

    Example:

        >>> changed({"files": "a1", "labels": "b2"}, {"files": "a1", "labels": "c3"})
        ['labels']
    """
    if not isinstance(before, dict) or not isinstance(now, dict):
        return []
    return [name for name in (FILES, LABELS, SPLIT) if name in now and before.get(name) != now[name]]


def chosen_rows(count: int) -> list[int]:
    """Return the rows, of `count` files, whose content is compared: at most 4096, evenly spaced.

    Example:

        >>> chosen_rows(3), len(chosen_rows(100_000))
        ([0, 1, 2], 4096)
    """
    return np.unique(np.linspace(0, count - 1, min(count, SAMPLED)).astype(int)).tolist() if count else []


def _kept(dataset: Dataset) -> str:
    """Return the stored digest of the files of a large folder; compute it if none is stored; "" for others.

    The stored digest is valid if no folder's times changed and the compared content is the same.
    """
    files = dataset.pictures
    paths = files.paths
    if not isinstance(paths, Paths) or not paths.mark or len(paths) < LARGE:
        return ""
    chosen = [paths[row] for row in chosen_rows(len(paths))]
    looked_at = (piece for path in chosen for piece in (b"%d" % size_of(path), pieces_of(path)))
    key = _hash([type(files).__name__.encode(), paths.mark.encode(), b"%d" % len(paths), *looked_at])
    found = recalled_digest(key)
    if not found:
        found = _hash(_files(dataset))
        store_digest(key, found)
    return found


def _hash(pieces: Iterable[bytes | bytearray]) -> str:
    found = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        found.update(len(piece).to_bytes(8, "little"))
        found.update(piece)
    return found.hexdigest()


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, min(first + BLOCK, count)) for first in range(0, count, BLOCK))


def _joined(blocks: Iterable[Sequence[str]]) -> bytearray:
    """Return texts with zero bytes between them; they come in blocks, so that memory stays small."""
    found = bytearray()
    for number, texts in enumerate(blocks):
        found += b"\0" if number else b""
        found += "\0".join(texts).encode(errors="surrogateescape")
    return found


def _labels(dataset: Dataset) -> bytes:
    labels = dataset.labels
    if labels is None:
        return b""
    if dataset.regression:
        return labels.astype("<f8").tobytes()
    return np.packbits(labels).tobytes() if dataset.multi_label else labels.astype("<i8").tobytes()


def _files(dataset: Dataset) -> Iterator[bytes | bytearray]:
    """Yield names, then sizes, then some of the content."""
    pictures, count = dataset.pictures, len(dataset)
    chosen = chosen_rows(count)
    yield _joined(relative_names(pictures))
    records = pictures.records()
    if pictures.on_disk and records is None:
        if dataset.sounds is not None:
            yield np.array(dataset.sounds.spans, "<f8").tobytes()
        yield from _on_disk(pictures.paths, chosen)
    elif records is not None:
        yield from _packed(records)
    elif pictures.in_memory and not _are_paths(pictures):
        yield repr([pictures.shape(row) for row in range(count)]).encode()
        yield from (values_of(pictures.read(row)) for row in chosen)


def relative_names(pictures: Pictures) -> Iterator[list[str]]:
    """Yield names block by block: paths without the folder that all of them share, other names unchanged.

    Example:

        >>> from kakera.data.holders import FilePictures
        >>> paths = [Path("/data/cats/1.png"), Path("/data/dogs/1.png")]
        >>> next(relative_names(FilePictures(paths, 3)))
        ['cats/1.png', 'dogs/1.png']
    """
    return relative(lambda: names_of(pictures)) if _are_paths(pictures) else names_of(pictures)


def _are_paths(pictures: Pictures) -> bool:
    return any(os.sep in name for names in names_of(pictures) for name in names)


def names_of(pictures: Pictures) -> Iterator[list[str]]:
    """Return the names of pictures, block by block.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> next(names_of(open_dataset("demo").pictures))[0]
        't10k-images-idx3-ubyte[0]'
    """
    return (pictures.names_between(here.start, here.stop) for here in _blocks(len(pictures)))


def _on_disk(sources: Sequence[Source], chosen: Sequence[int]) -> Iterator[bytes]:
    sizes = bytearray()
    for here in _blocks(len(sources)):
        sizes += b"".join(b" %d" % size for size in sizes_of(sources[here]))
    yield bytes(sizes[1:])
    yield from (pieces_of(sources[row]) for row in chosen)


def sizes_of(sources: Sequence[Source]) -> Iterator[int]:
    """Yield the size of each file in bytes; −1 for a missing file.

    Example:

        >>> [*sizes_of([b"four", Path("missing.png")])]
        [4, -1]
    """
    return map(_size, sources.texts()) if isinstance(sources, Paths) else map(size_of, sources)


def _size(path: Path | str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  # a Path costs ten times the call
    except OSError:
        return -1


def size_of(source: Source) -> int:
    """Return the size of a file in bytes; −1 for a missing file.

    Example:

        >>> size_of(b"four"), size_of(Path("missing.png"))
        (4, -1)
    """
    if isinstance(source, bytes):
        return len(source)
    if isinstance(source, Path):
        return _size(source)
    record = _record(source)
    return int(record["length"][0]) if record is not None else -1


def pieces_of(source: Source) -> bytes:
    """Return 4 KB from the middle and 4 KB from the end of a file, where files of one kind and size differ.

    Example:

        >>> pieces_of(b"0123456789")
        b'567890123456789'
    """
    if isinstance(source, bytes):
        return source[len(source) // 2 :][:PIECE] + source[-PIECE:]
    if isinstance(source, Path):
        try:
            with source.open("rb", buffering=0) as file:
                size = file.seek(0, 2)
                file.seek(size // 2)
                middle = file.read(PIECE)
                file.seek(max(0, size - PIECE))
                return middle + file.read(PIECE)
        except OSError:
            return b""
    record = _record(source)
    return b"".join(_packed(record)) if record is not None else b""


def _record(source: AudioSource) -> NDArray[Any] | None:
    """Return (1,) the record of a recording in a shard or a table, with its length and checksum."""
    if isinstance(source, ShardRecording):
        return source.shards.table[[source.row]]
    return source.files.records()[[source.row]] if isinstance(source, StoredRecording) else None


def _packed(records: NDArray[Any]) -> Iterator[bytes]:
    """Yield the sizes and checksums from the index of a shard."""
    yield records["length"].astype("<i8").tobytes()
    yield records["crc"].astype("<i8").tobytes()


def values_of(array: NDArray[Any]) -> bytes:
    """Return about 4096 evenly spaced values of an array, as bytes.

    Example:

        >>> len(values_of(np.zeros((100, 100, 3), np.uint8)))
        4286
    """
    return array.reshape(-1)[:: max(1, array.size // PIECE)].tobytes()
