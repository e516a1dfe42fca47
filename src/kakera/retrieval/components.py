"""Principal components of vectors: few numbers that keep most of their variance (Pearson 1901)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 20_000  # vectors from which the components are computed
BLOCK = 16_384


def components_of(vectors: NDArray[Any], count: int) -> NDArray[np.float32]:
    """Return the first `count` principal components of vectors (n, d), float32 (n, count).

    The first component has the largest variance. The sign of each is chosen such that its largest value is
    positive. If the vectors have fewer dimensions, the other components are 0. Of more than 20 000 vectors,
    evenly spaced ones give the axes.

    Example:

        >>> components_of(np.array([[0.0, 3.0], [0.0, 5.0], [0.0, 10.0]]), 1).ravel()
        array([-3., -1.,  4.], dtype=float32)
    """
    some = vectors[:: -(-len(vectors) // MOST) or 1].astype(np.float64)
    mean = some.mean(axis=0)
    centred = some - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :count]
    found = np.zeros((len(vectors), count), np.float32)
    for first in range(0, len(vectors), BLOCK):
        found[first : first + BLOCK, : axes.shape[1]] = (vectors[first : first + BLOCK] - mean) @ axes
    if len(found):
        top = found[np.abs(found).argmax(axis=0), np.arange(count)]
        found *= np.where(top < 0, -1, 1).astype(np.float32)
    return found
