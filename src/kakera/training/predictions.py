"""Predictions of a classifier for labelled files, in a few numbers per file for single labels.

The n × classes probabilities of a large test set need not be in memory: they are compared with the labels
batch by batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
ROW = np.dtype(
    [
        ("guess", np.int64),  # the most likely class; the first one of equal classes
        ("confidence", np.float64),  # its score; NaN if any score of the file is not finite
        ("of_truth", np.float64),  # the score of the true class
        ("above", np.int64),  # number of classes before the true class, by score, then by number
        ("probable", np.bool_),  # True if the scores may be probabilities: none below 0, their sum 1
    ]
)
BLOCK = 1 << 22  # number of scores to process at once, which limits the memory
FAULT = 1e-3  # tolerance for a sum of probabilities


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions for the n readable files of a part; `numbers` (n,) are the file numbers in the part.

    `rows` (n,) has the fields of `ROW`. For multi-label data it is empty, and `probabilities` float32
    (n, classes) has all values, because average precision needs them. For regression it is empty too, and
    `values` float32 (n, targets) are the predicted numbers.

    Example:

        >>> scores = np.array([[0.9, 0.1], [0.2, 0.8]])
        >>> Predictions.of(scores, labels=np.array([0, 0]), numbers=np.arange(2)).guesses
        array([0, 1])
    """

    numbers: NDArray[np.int64]
    rows: Rows
    probabilities: NDArray[np.floating[Any]] | None = None
    seconds: float = 0.0
    """Time that the prediction took in this process."""
    values: NDArray[np.floating[Any]] | None = None

    @classmethod
    def of(
        cls, probabilities: NDArray[np.floating[Any]], labels: NDArray[Any], numbers: NDArray[np.int64]
    ) -> Predictions:
        """Make predictions from all probabilities (n, classes) and labels, int (n,) or bool (n, classes)."""
        if labels.dtype == np.bool_:
            return cls(numbers, np.empty(0, ROW), probabilities)
        return cls(numbers, judged(probabilities, labels))

    @property
    def guesses(self) -> NDArray[np.int64]:
        """The most likely class of each file, int (n,); for single labels only."""
        return self.rows["guess"]


def judged(scores: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Rows:
    """Compare scores (n, classes) with labels int (n,) and return rows of `ROW`; −1 means no label.

    Example:

        >>> rows = judged(np.array([[0.7, 0.3], [0.4, 0.6]]), np.array([0, 0]))
        >>> rows["guess"], rows["of_truth"], rows["above"]
        (array([0, 1]), array([0.7, 0.4]), array([0, 1]))
    """
    rows = np.empty(len(scores), ROW)
    step = max(1, BLOCK // max(1, scores.shape[1]))
    for start in range(0, len(scores), step):
        part = slice(start, start + step)
        rows[part] = _judged(scores[part], labels[part])
    return rows


def _judged(scores: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Rows:
    rows, known = np.empty(len(scores), ROW), labels >= 0
    places = np.maximum(labels, 0)[:, None]
    truth = np.take_along_axis(scores, places, axis=1)
    before = np.arange(scores.shape[1]) < places
    rows["guess"] = scores.argmax(axis=1)
    sums = scores.sum(axis=1, dtype=np.float64)
    highest = np.take_along_axis(scores, rows["guess"][:, None], axis=1)[:, 0]
    rows["confidence"] = np.where(np.isfinite(sums), highest, np.nan)
    rows["of_truth"] = np.where(known, truth[:, 0], np.nan)
    above = (scores > truth).sum(axis=1) + ((scores == truth) & before).sum(axis=1)
    rows["above"] = np.where(known, above, -1)
    rows["probable"] = (scores >= 0).all(axis=1) & (np.abs(sums - 1.0) <= FAULT)
    return rows
