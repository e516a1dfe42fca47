"""Frozen features and their labels, checked and brought into the form that the probes take."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError

Features: TypeAlias = NDArray[np.floating[Any]]
Labels: TypeAlias = NDArray[np.int64] | NDArray[np.bool_]


def labelled(train: Features, labels: Labels, *, classes: int) -> tuple[Features, Labels]:
    """The rows of train (n, d) that have a label, and their labels.

    Labels are int (n,), −1 where unlabelled, or bool (n, classes). Raises DataError where none is left,
    the shapes do not fit, a label is no class, or a feature is not finite.
    """
    multi_label = labels.dtype == np.bool_
    if train.ndim != 2 or labels.shape != ((len(train), classes) if multi_label else (len(train),)):
        raise _refusal(
            got=f"features of shape {train.shape} and labels of shape {labels.shape}",
            expected=f"a row of features and a label out of {classes} classes for each sample",
        )
    known = np.ones(len(labels), dtype=np.bool_) if multi_label else labels >= 0
    if not known.any():
        raise _refusal(got="no labelled sample", expected="at least one")
    if not multi_label and labels.max() >= classes:
        raise _refusal(got=f"label {labels.max()}", expected=f"−1 to {classes - 1}")
    if not np.isfinite(train[known]).all():
        raise _refusal(got="features that are not finite", expected="numbers")
    return train[known], labels[known]


def standardise(train: Features, test: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both (n, d) and (m, d) with the mean and deviation of the columns of train taken out."""
    mean, std = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    # Below a millionth of the mean a column of float32 is constant but for rounding: leave it at zero.
    std = np.where(std <= 1e-6 * np.abs(mean), np.inf, std)
    return (train - mean) / std, (test - mean) / std


def indicators(labels: Labels, *, classes: int) -> NDArray[np.float64]:
    """Labels of either kind as (n, classes) zeros and ones."""
    if labels.dtype == np.bool_:
        return labels.astype(np.float64)
    found = np.zeros((len(labels), classes))
    found[np.arange(len(labels)), labels] = 1.0
    return found


def _refusal(*, got: str, expected: str) -> DataError:
    return DataError("probe", got=got, expected=expected, do="check the data and its labels")
