"""The head that is trained again after each batch of labels: ridge regression in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.training.heads.fits import STEEPNESS
from kakera.training.heads.linear_head import probabilities, scale_of
from kakera.training.heads.temperature import fit_temperature
from kakera.training.probes.features import indicators
from kakera.training.probes.ridge import fit, left_out

LEAST = 2  # classes with a label


@dataclass(frozen=True, eq=False)
class LabelHead:
    """A head on the labels so far, and what it predicts for all n files. See `fit_labels`."""

    classes: NDArray[np.int64]
    """The numbers of the classes that have a label (k,); only these are predicted."""
    likely: NDArray[np.float32]
    """Probabilities (n, k) of these classes; each labelled file is predicted without itself."""

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each file (n,)."""
        return self.classes[self.likely.argmax(axis=1)]

    @property
    def margins(self) -> NDArray[np.float32]:
        """The highest probability minus the second (n,): low for files of which the head is not sure."""
        top = np.partition(self.likely, -2, axis=1)[:, -2:]
        return top[:, 1] - top[:, 0]

    def error_probabilities(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return 1 − the probability of the label or, for files without one, of the predicted class (n,).

        `rows` (m,) are the labelled files, `labels` (m,) their classes.
        """
        found = 1 - self.likely.max(axis=1)
        places = np.searchsorted(self.classes, labels)
        found[rows] = 1 - self.likely[rows, places]
        return found


def scaled(tokens: NDArray[Any]) -> NDArray[np.float32]:
    """Return tokens (n, d) with mean 0 and standard deviation 1 in each column; constant columns become 0.

    Example:

        >>> scaled(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
    """
    mean, std = scale_of(tokens)
    return ((tokens - mean) / std).astype(np.float32)


def fit_labels(
    tokens: NDArray[np.float32], rows: NDArray[np.int64], labels: NDArray[np.int64]
) -> LabelHead | None:
    """Return a head for labels (m,) of the files `rows` (m,); None if fewer than two classes have a label.

    `tokens` (n, d) are those of all files, as `scaled` returns them. Targets are −1 and 1, the penalty has
    the lowest leave-one-out error, and the temperature the lowest log loss on the labelled files, each
    predicted without itself (Allen 1974).

    Example:

        >>> tokens = scaled(np.array([[0.0], [1.0], [4.0], [5.0], [6.0]]))
        >>> head = fit_labels(tokens, np.array([0, 1, 3, 4]), np.array([2, 2, 7, 7]))
        >>> head.classes, head.predicted
        (array([2, 7]), array([2, 2, 7, 7, 7]))
    """
    classes, own = np.unique(labels, return_inverse=True)
    if len(classes) < LEAST:
        return None
    marks = indicators(own.astype(np.int64), classes=len(classes))
    seen, targets = tokens[rows].astype(np.float64), 2.0 * marks - 1.0
    found = fit(seen, targets)
    rest = STEEPNESS * left_out(seen, targets, found.penalty)
    temperature = fit_temperature(rest, marks)
    scale = np.float32(STEEPNESS / temperature)
    weights, intercept = found.weights.astype(np.float32), found.intercept.astype(np.float32)
    logits: NDArray[Any] = scale * (tokens @ weights + intercept)
    logits[rows] = rest / temperature
    return LabelHead(classes, probabilities(logits).astype(np.float32))
