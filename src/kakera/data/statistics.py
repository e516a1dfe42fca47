"""The data's own mean and deviation, channel by channel."""

from __future__ import annotations

import numpy as np

from kakera.data.dataset import Dataset
from kakera.errors import DataError, UnreadableFileError, sentence
from kakera.progress import passing


def mean_std(dataset: Dataset, sample: int = 10_000) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the values / 255 over evenly spaced pictures; sums are whole numbers, so exact.

    A deviation is at least 1/255. Raises DataError where no picture can be read.
    """
    count = np.zeros(1, dtype=np.int64)
    total = np.zeros(dataset.channels, dtype=np.int64)
    squares = np.zeros(dataset.channels, dtype=np.int64)
    chosen = np.linspace(0, len(dataset) - 1, min(sample, len(dataset))).astype(int)
    for index in passing(chosen, "mean and deviation", total=len(chosen)):
        try:
            values = dataset.pictures.read(int(index)).reshape(-1, dataset.channels).astype(np.int64)
        except UnreadableFileError:
            continue
        count += len(values)
        total += values.sum(axis=0)
        squares += (values * values).sum(axis=0)
    if not count[0]:
        raise DataError(
            sentence(dataset.name, got="no readable picture", expected="at least one", do="look at the files")
        )
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return tuple(float(m) / 255 for m in mean), tuple(max(float(s), 1.0) / 255 for s in std)
