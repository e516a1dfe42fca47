"""Small data sets are decoded once and kept: pictures as bytes, waveforms as floats."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import ArrayPictures, Dataset, FilePictures, Pictures
from kakera.data.images import header
from kakera.data.shards import ShardPictures
from kakera.data.sounds import ArraySounds, FileSounds
from kakera.errors import DataError, UnreadableFileError, sentence
from kakera.progress import passing

_ON_DISK = (FilePictures, ShardPictures, FileSounds)
LIMIT = 2 << 30  # bytes
SAMPLE = 200  # headers read to estimate the size


def hold(dataset: Dataset, limit_bytes: int = LIMIT) -> Dataset:
    """The same pictures or recordings in memory, if they fit; unreadable ones dropped and listed.

    Raises DataError where none can be read.
    """
    files = dataset.pictures
    if not isinstance(files, _ON_DISK) or _estimate(dataset) > limit_bytes:
        return dataset

    def read(index: int) -> NDArray[Any] | UnreadableFileError:
        try:
            return files.read(index)
        except UnreadableFileError as error:
            return error

    with ThreadPoolExecutor() as pool:  # decoders leave the interpreter's lock
        reading = pool.map(read, range(len(dataset)))
        results = list(passing(reading, "read", total=len(dataset), kind=dataset.kind))
    broken = tuple(result for result in results if isinstance(result, UnreadableFileError))
    rows = [index for index, result in enumerate(results) if not isinstance(result, UnreadableFileError)]
    arrays = [result for result in results if not isinstance(result, UnreadableFileError)]
    if not arrays:
        raise DataError(
            sentence(
                dataset.name,
                got=f"{len(broken)} unreadable files ({broken[0] if broken else 'none'})",
                expected="at least one that can be read",
                do="look at the files",
            )
        )
    names = [files.name(index) for index in rows]
    unreadable = (*dataset.unreadable, *broken)
    return replace(dataset.take(rows), pictures=_in_memory(files, arrays, names), unreadable=unreadable)


def _in_memory(files: Pictures, arrays: list[NDArray[Any]], names: list[str]) -> Pictures:
    if isinstance(files, FileSounds):
        return ArraySounds(arrays, files.spec, names)
    same = len({picture.shape for picture in arrays}) == 1
    return ArrayPictures(np.stack(arrays) if same else arrays, names)


def _estimate(dataset: Dataset) -> float:
    """Bytes of all of them decoded, from the headers of a few."""
    files = dataset.pictures
    assert isinstance(files, _ON_DISK)
    sizes: list[int] = []
    for index in range(0, len(dataset), max(1, len(dataset) // SAMPLE)):
        try:
            sizes.append(_bytes(files, index))
        except UnreadableFileError:
            continue
    return len(dataset) * (sum(sizes) / len(sizes)) if sizes else 0.0


def _bytes(files: FilePictures | ShardPictures | FileSounds, index: int) -> int:
    if isinstance(files, FileSounds):
        return files.length(index) * np.dtype(np.float32).itemsize
    if isinstance(files, ShardPictures):
        height, width = files.size(index)
    else:
        height, width, _ = header(files.paths[index])
    return height * width * files.channels
