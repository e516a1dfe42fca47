"""A linear head on frozen tokens, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearHead:
    """A head with logits `tokens @ weights + bias`; `weights` is (d, classes), `bias` (classes,).

    Example:

        >>> head = LinearHead(np.eye(2), np.array([0.0, 1.0]))
        >>> head.logits(np.array([[2.0, 3.0]]))
        array([[2., 4.]])
        >>> head.with_temperature(2.0).logits(np.array([[2.0, 3.0]]))
        array([[1., 2.]])
    """

    weights: Array
    bias: Array

    def logits(self, tokens: NDArray[Any]) -> Array:
        """Return the logits (n, classes) of tokens (n, d)."""
        return tokens @ self.weights + self.bias

    def with_temperature(self, temperature: float) -> LinearHead:
        """Return the head whose logits are divided by a temperature (Guo et al. 2017, section 4.2)."""
        return LinearHead(self.weights / temperature, self.bias / temperature)

    def on_raw(self, mean: Array, std: Array) -> LinearHead:
        """Return the head for raw tokens, if this one is for (tokens − mean) / std, both (d,)."""
        weights = self.weights / std[:, None]
        return LinearHead(weights, self.bias - mean @ weights)


def probabilities(logits: Array, *, multi_label: bool = False) -> Array:
    """Return the softmax of logits (n, classes), or one sigmoid for each class if `multi_label`.

    Example:

        >>> probabilities(np.zeros((1, 2))), probabilities(np.zeros((1, 2)), multi_label=True)
        (array([[0.5, 0.5]]), array([[0.5, 0.5]]))
    """
    if multi_label:
        return 1.0 / (1.0 + np.exp(-np.clip(logits, -500, 500)))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def scale_of(tokens: NDArray[Any]) -> tuple[Array, Array]:
    """Return mean (d,) and standard deviation (d,) of tokens (n, d); constant columns get an infinite one.

    Example:

        >>> scale_of(np.array([[1.0, 5.0], [3.0, 5.0]]))
        (array([2., 5.]), array([ 1., inf]))
    """
    mean, std = tokens.mean(axis=0, dtype=np.float64), tokens.std(axis=0, dtype=np.float64)
    return mean, np.where(std <= 1e-6 * np.maximum(np.abs(mean), 1e-30), np.inf, std)
