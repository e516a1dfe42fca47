"""Mean and standard deviation of a data set, for each channel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.preload.in_flight import decoding_bytes, in_order
from kakera.errors import DataError, UnreadableFileError
from kakera.progress import with_progress

SAMPLE = 10_000  # pictures
TOGETHER = 500  # pictures in memory to measure at a time
BLOCK = 1 << 15  # pixels at a time, to save memory

Sums = NDArray[np.int64]


def sums(picture: NDArray[np.uint8]) -> Sums:
    """Return the pixel count, sum and sum of squares of each channel of a picture (H, W, C), int64 (3, C).

    Example:

        >>> sums(np.full((2, 2, 1), 3, np.uint8)).tolist()
        [[4], [12], [36]]
    """
    values = picture.reshape(-1, picture.shape[-1])
    found = np.zeros((3, values.shape[1]), np.int64)
    found[0] = len(values)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK].T.astype(np.float64)  # whole numbers below 2^53: exact
        found[1] += block.sum(axis=1).astype(np.int64)
        found[2] += np.einsum("ci,ci->c", block, block).astype(np.int64)
    return found


def chosen(count: int, sample: int = SAMPLE) -> NDArray[np.int64]:
    """Return the numbers of the pictures to measure: all `count`, or `sample` evenly spaced ones.

    Example:

        >>> chosen(10, sample=3)
        array([0, 4, 9])
    """
    return np.linspace(0, count - 1, min(sample, count)).astype(int)


def mean_std_of(
    found: Iterable[Sums], name: str, why: object = ""
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Compute mean and standard deviation as `mean_std`, from the `sums` of pictures.

    `name` is the subject of error messages. Raises DataError, with the reason `why`, if there is no picture.

    Example:

        >>> mean_std_of([sums(np.array([[[0], [255]]], np.uint8))], "pictures")
        ((0.5,), (0.5,))
    """
    everything = sum(found, np.zeros((3, 1), np.int64))
    count, total, squares = everything
    if not count[0]:
        got = f"no readable picture ({why})" if why else "no readable picture"
        raise DataError(name, got=got, expected="at least one", do="check the files")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return tuple(float(m) / 255 for m in mean), tuple(max(float(s), 1.0) / 255 for s in std)


def mean_std(dataset: Dataset, sample: int = SAMPLE) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Compute mean and standard deviation of each channel, with values from 0 to 1.

    At most `sample` evenly spaced pictures are measured. The sums are whole numbers, so they are exact. Each
    standard deviation is at least 1/255. Raises DataError if no picture can be read.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.array([[[[0], [255]]]], np.uint8))
        >>> mean_std(Dataset("pixels", pictures, 1, np.array(["train"])))
        ((0.5,), (0.5,))
    """
    measured = chosen(len(dataset), sample)
    if dataset.pictures.in_memory and dataset.pictures.common_size is not None:
        parts = np.array_split(measured, -(-len(measured) // TOGETHER))
        return mean_std_of(
            (sums(np.concatenate(dataset.pictures.stack(part))) for part in parts), dataset.name
        )
    cost = decoding_bytes(dataset.pictures)

    def read(number: int) -> Sums:
        try:
            return sums(dataset.pictures.read(int(measured[number])))
        except UnreadableFileError:
            return np.zeros((3, 1), np.int64)

    reading = in_order(read, len(measured), lambda number: cost(int(measured[number])))
    return mean_std_of(
        with_progress(reading, "mean and standard deviation", total=len(measured)), dataset.name
    )
