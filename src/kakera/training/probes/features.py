"""Checks and conversions of frozen features and labels for the probes."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError

Features: TypeAlias = NDArray[np.floating[Any]]
Labels: TypeAlias = NDArray[np.int64] | NDArray[np.bool_]


def labelled(train: Features, labels: Labels, *, classes: int) -> tuple[Features, Labels]:
    """Return the labelled rows of `train` (n, d), and their labels.

    Labels are int (n,), −1 for unlabelled samples, or bool (n, classes). Raises DataError if no sample has
    a label, the shapes do not match, a label is not a class number, or a feature is not finite.

    Example:

        >>> rows, labels = labelled(np.ones((3, 2)), np.array([0, -1, 1]), classes=2)
        >>> rows.shape, labels.tolist()
        ((2, 2), [0, 1])
    """
    multi_label = labels.dtype == np.bool_
    if train.ndim != 2 or labels.shape != ((len(train), classes) if multi_label else (len(train),)):
        raise _refusal(
            got=f"features of shape {train.shape} and labels of shape {labels.shape}",
            expected=f"a row of features and a label of one of {classes} classes for each sample",
        )
    known = np.ones(len(labels), dtype=np.bool_) if multi_label else labels >= 0
    if not known.any():
        raise _refusal(got="no labelled sample", expected="at least one")
    if not multi_label and labels.max() >= classes:
        raise _refusal(got=f"label {labels.max()}", expected=f"−1 to {classes - 1}")
    if not np.isfinite(train[known]).all():
        raise _refusal(got="features that are not finite", expected="finite numbers")
    return train[known], labels[known]


def standardise(train: Features, test: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standardise `train` (n, d) and `test` (m, d) with the column means and standard deviations of `train`.

    Constant columns become 0.

    Example:

        >>> standardise(np.array([[1.0], [3.0]]), np.array([[2.0], [4.0]]))[1].tolist()
        [[0.0], [2.0]]
    """
    mean, std = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    # Below a millionth of the mean, a float32 column varies only by rounding errors: set it to zero.
    std = np.where(std <= 1e-6 * np.abs(mean), np.inf, std)
    return (train - mean) / std, (test - mean) / std


def indicators(labels: Labels, *, classes: int) -> NDArray[np.float64]:
    """Return labels of either kind as zeros and ones (n, classes).

    Example:

        >>> indicators(np.array([1, 0]), classes=2).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    if labels.dtype == np.bool_:
        return labels.astype(np.float64)
    result = np.zeros((len(labels), classes))
    result[np.arange(len(labels)), labels] = 1.0
    return result


def _refusal(*, got: str, expected: str) -> DataError:
    return DataError("probe", got=got, expected=expected, do="check the data and its labels")
