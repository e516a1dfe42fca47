"""Choice of the files that a page shows: equally many of each class, evenly spaced, without randomness."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset


def spread(dataset: Dataset, most: int) -> NDArray[np.int64]:
    """Return the row numbers of at most `most` files, spread evenly over the classes, in ascending order.

    The class of a file is its label, or the name of its folder if the data set has no labels. If a class has
    too few files for its share of the page, the other classes fill the share.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> len(spread(open_dataset("demo"), 20))
        20
    """
    groups = _groups(dataset)
    if len(groups) > most:
        groups = [groups[place] for place in _even(len(groups), most)]
    counts = [0] * len(groups)
    for _ in range(min(most, sum(map(len, groups)))):
        open_ones = [number for number, rows in enumerate(groups) if counts[number] < len(rows)]
        counts[min(open_ones, key=lambda number: counts[number])] += 1
    chosen = [rows[_even(len(rows), count)] for rows, count in zip(groups, counts, strict=True)]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def _groups(dataset: Dataset) -> list[NDArray[np.int64]]:
    """Return the rows of each class; the classes are in the order of their first files."""
    labels = dataset.labels
    if labels is not None and labels.ndim == 1 and (labels >= 0).any():
        names = labels.tolist()
    else:
        names = [PurePath(dataset.pictures.name(row)).parent.name for row in range(len(dataset))]
    found: dict[object, list[int]] = {}
    for row, name in enumerate(names):
        found.setdefault(name, []).append(row)
    return [np.array(rows, np.int64) for rows in found.values()]


def _even(count: int, some: int) -> NDArray[np.int64]:
    """Return `some` evenly spaced numbers from 0 to `count` - 1, starting with 0."""
    return np.arange(some) * count // max(some, 1)
