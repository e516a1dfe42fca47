"""Small data sets are decoded once and kept as bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import ArrayPictures, Dataset, FilePictures
from kakera.data.images import header
from kakera.errors import DataError, UnreadableFileError, sentence

LIMIT = 2 << 30  # bytes
SAMPLE = 200  # headers read to estimate the size


def hold(dataset: Dataset, limit_bytes: int = LIMIT) -> Dataset:
    """The same pictures in memory, if they fit; unreadable ones dropped and listed.

    Raises DataError where none can be read.
    """
    if not isinstance(dataset.pictures, FilePictures) or _estimate(dataset) > limit_bytes:
        return dataset

    def read(index: int) -> NDArray[np.uint8] | UnreadableFileError:
        try:
            return dataset.pictures.read(index)
        except UnreadableFileError as error:
            return error

    with ThreadPoolExecutor() as pool:  # decoders leave the interpreter's lock
        results = list(pool.map(read, range(len(dataset))))
    broken = tuple(result for result in results if isinstance(result, UnreadableFileError))
    rows = [index for index, result in enumerate(results) if not isinstance(result, UnreadableFileError)]
    pictures = [result for result in results if not isinstance(result, UnreadableFileError)]
    if not pictures:
        raise DataError(
            sentence(
                dataset.name,
                got=f"{len(broken)} unreadable files ({broken[0] if broken else 'none'})",
                expected="at least one picture",
                do="look at the files",
            )
        )
    names = [dataset.pictures.name(index) for index in rows]
    same = len({picture.shape for picture in pictures}) == 1
    arrays = np.stack(pictures) if same else pictures
    unreadable = (*dataset.unreadable, *broken)
    return replace(dataset.take(rows), pictures=ArrayPictures(arrays, names), unreadable=unreadable)


def _estimate(dataset: Dataset) -> float:
    """Bytes of all pictures decoded, from the headers of a few."""
    assert isinstance(dataset.pictures, FilePictures)
    paths = dataset.pictures.paths[:: max(1, len(dataset) // SAMPLE)]
    sizes: list[int] = []
    for path in paths:
        try:
            height, width, _ = header(path)
            sizes.append(height * width * dataset.channels)
        except UnreadableFileError:
            continue
    return len(dataset) * (sum(sizes) / len(sizes)) if sizes else 0.0
