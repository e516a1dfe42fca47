"""What a classifier makes of labelled files, in a few numbers a file where each has one label.

The n × classes probabilities of a large test set need not be in memory: they are judged batch by batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
ROW = np.dtype(
    [
        ("guess", np.int64),  # the likeliest class, of equals the first
        ("confidence", np.float64),  # its score; not a number where any score of the file is not finite
        ("of_truth", np.float64),  # the score of the label
        ("above", np.int64),  # classes that come before the label, by score and then by number
        ("probable", np.bool_),  # whether the scores may be probabilities: none below 0, their sum 1
    ]
)
BLOCK = 1 << 22  # scores that are looked at at once
FAULT = 1e-3  # of a sum of probabilities


@dataclass(frozen=True, eq=False)
class Predictions:
    """For the n readable files of a part: `numbers` (n,) in it, and what was answered.

    `rows` (n,) has the fields of `ROW`; where files may have several labels it is empty, and `probabilities`
    float32 (n, classes) are all kept, since average precision needs them.
    """

    numbers: NDArray[np.int64]
    rows: Rows
    probabilities: NDArray[np.floating[Any]] | None = None
    seconds: float = 0.0
    """That it took, of this process."""

    @classmethod
    def of(
        cls, probabilities: NDArray[np.floating[Any]], labels: NDArray[Any], numbers: NDArray[np.int64]
    ) -> Predictions:
        """From all probabilities (n, classes) and labels, int (n,) or bool (n, classes)."""
        if labels.dtype == np.bool_:
            return cls(numbers, np.empty(0, ROW), probabilities)
        return cls(numbers, judged(probabilities, labels))

    @property
    def guesses(self) -> NDArray[np.int64]:
        """The likeliest class of each file (n,), where each has one label."""
        return self.rows["guess"]


def judged(scores: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Rows:
    """Compare scores (n, classes) with labels int (n,): rows of `ROW`; −1 is no label."""
    found = np.empty(len(scores), ROW)
    step = max(1, BLOCK // max(1, scores.shape[1]))
    for start in range(0, len(scores), step):
        part = slice(start, start + step)
        found[part] = _judged(scores[part], labels[part])
    return found


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
