"""Rows of numbers as pictures, so that scikit-learn's checks, which have no files, can run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from kakera.sklearn import Embedder, KakeraClassifier

CELL = 8  # pixels


def drawn(row: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A picture with a grey square for each number."""
    across = max(1, int(np.ceil(np.sqrt(len(row)))))
    cells = np.zeros(across**2)
    cells[: len(row)] = 127.5 + 127.5 * np.tanh(row / 5)
    return np.kron(cells.reshape(across, across), np.ones((CELL, CELL))).astype(np.uint8)


class _Rows:
    """Reads each row as a picture; the rest is the estimator itself."""

    def _samples(self, X: Any, *, reset: bool) -> list[Any]:  # noqa: N803
        return [drawn(row) for row in validate_data(self, X, reset=reset)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        inputs = tags.input_tags
        inputs.two_d_array = True
        inputs.one_d_array = inputs.three_d_array = inputs.string = False
        return tags


class RowEmbedder(_Rows, Embedder):
    """`Embedder` of rows."""


class RowClassifier(_Rows, KakeraClassifier):
    """`KakeraClassifier` of rows."""
