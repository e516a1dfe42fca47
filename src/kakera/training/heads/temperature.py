"""The temperature of a classifier: one number that corrects how sure it is (Guo et al. 2017, section 4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.training.heads.linear_head import Array, probabilities

LOWEST, HIGHEST = 1e-3, 1e3


def fit_temperature(logits: Array, targets: NDArray[np.float64], *, multi_label: bool = False) -> float:
    """Return the temperature with the lowest log loss on held-out logits (n, classes), 0.001 to 1000.

    `targets` (n, classes) are zeros and ones. One more sample is added, whose class is unknown: all classes
    are equally likely. So the probabilities stay below 1 if all samples are right (Platt 1999, section 2.2,
    has the same for two classes). The loss is convex in the inverse temperature, so the zero of its
    derivative is found by bisection. Without samples the result is 1.

    Example:

        >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0]])
        >>> targets = np.eye(2)[[0, 0, 0]]  # right in 3.5 of 4 with the sample of unknown class: log 7
        >>> round(4.0 / fit_temperature(logits, targets), 3), round(float(np.log(7)), 3)
        (1.946, 1.946)
    """
    if not len(logits):
        return 1.0
    share = 1 / (len(logits) + 1)
    targets = (1 - share) * targets + share / (2 if multi_label else targets.shape[1])
    low, high = np.log(1 / HIGHEST), np.log(1 / LOWEST)
    for _ in range(60):
        middle = (low + high) / 2
        wrong = probabilities(np.exp(middle) * logits, multi_label=multi_label) - targets
        if (wrong * logits).sum() > 0:  # the derivative by the inverse temperature
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))
