"""Labels that are probably wrong, and classes that overlap: confident learning (Northcutt et al. 2021).

Section 3.1 there: the threshold of a class is the mean probability of that class over the files with its
label. A file counts for the class with the highest probability among those that reach their threshold. The
confident joint has the number of files for each pair of label and counted class; files off its diagonal have
a doubtful label. Probabilities must be of files that the fit did not see. Does not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConfidentJoint:
    """The confident joint of labels and counted classes. See `confident_joint`."""

    thresholds: Array
    """The threshold of each class (c,); infinite for a class without a label."""
    counts: NDArray[np.int64]
    """The number of files (c, c) by label (row) and counted class (column)."""
    counted: NDArray[np.int64]
    """The counted class of each file (n,); −1 if no probability reaches its threshold."""

    def joint(self, labels: NDArray[np.int64]) -> Array:
        """Return the estimated shares of files (c, c) by label and true class (equation 3); their sum is 1.

        Each row of the counts is scaled to the number of files with this label.
        """
        own = np.bincount(labels, minlength=len(self.counts))
        rows = self.counts.astype(np.float64)
        empty = np.flatnonzero(rows.sum(axis=1) == 0)
        rows[empty, empty] = 1
        scaled = rows / rows.sum(axis=1, keepdims=True) * own[:, None]
        return scaled / max(scaled.sum(), 1)


def confident_joint(probabilities: Array, labels: NDArray[np.int64]) -> ConfidentJoint:
    """Return the confident joint of probabilities (n, c) and labels (n,).

    Example:

        >>> likely = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.95, 0.05]])
        >>> found = confident_joint(likely, np.array([0, 0, 1, 1]))
        >>> found.thresholds.round(3), found.counts.tolist(), found.counted.tolist()
        (array([0.85 , 0.475]), [[1, 0], [1, 1]], [0, -1, 1, 0])
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    numbers = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=own, minlength=classes)
    thresholds = np.where(numbers > 0, sums / np.maximum(numbers, 1), np.inf)
    reached = probabilities >= thresholds - 1e-9
    counted = np.where(reached, probabilities, -1).argmax(axis=1)
    counted = np.where(reached.any(axis=1), counted, -1)
    counts = np.zeros((classes, classes), np.int64)
    known = counted >= 0
    np.add.at(counts, (labels[known], counted[known]), 1)
    return ConfidentJoint(thresholds, counts, counted)
