"""The temperature of a classifier: one number that corrects how sure it is (Guo et al. 2017, section 4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.training.heads.linear_head import Array, probabilities

LOWEST, HIGHEST = 1e-3, 1e3


def fit_temperature(logits: Array, targets: NDArray[np.float64], *, multi_label: bool = False) -> float:
    """Return the temperature with the lowest log loss on held-out logits (n, classes), 0.001 to 1000.

    `targets` (n, classes) are zeros and ones. The loss is convex in the inverse temperature, so the zero of
    its derivative is found by bisection. Without samples, or if all of them are right at any temperature,
    the result is limited: 1 without samples.

    Example:

        >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]])
        >>> targets = np.eye(2)[[0, 0, 0, 1]]  # right in three of four: the logit should be log 3
        >>> round(4.0 / fit_temperature(logits, targets), 3), round(float(np.log(3)), 3)
        (1.099, 1.099)
    """
    if not len(logits):
        return 1.0
    low, high = np.log(1 / HIGHEST), np.log(1 / LOWEST)
    for _ in range(60):
        middle = (low + high) / 2
        wrong = probabilities(np.exp(middle) * logits, multi_label=multi_label) - targets
        if (wrong * logits).sum() > 0:  # the derivative by the inverse temperature
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))
