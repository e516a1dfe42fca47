"""Logistic regression in NumPy: limited-memory BFGS, preconditioned by a bound of the Hessian.

Scikit-learn gives the same weights (a test compares them), but its import alone takes over a second. The
Hessian of multinomial logistic regression is at most half of the matrix XᵀX for each class (Böhning 1992,
section 2). Along the principal axes of X this bound is diagonal, so dividing by it costs nothing, and a few
tens of iterations are enough (Nocedal and Wright 2006, algorithm 7.4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kakera.training.heads.linear_head import Array, LinearHead, probabilities

STEPS, MEMORY = 500, 10
PRECISION = 1e-4  # of the scaled gradient, relative to the number of samples
Value = Callable[[Array], tuple[float, Array]]


class LogisticPath:
    """Logistic regression on tokens (n, d) with targets (n, classes) of zeros and ones, for any penalty.

    `multi_label` uses one sigmoid for each class. The principal axes are computed once, and each fit starts
    from the weights of the one before. See `fit_path`.
    """

    def __init__(self, tokens: Array, targets: NDArray[np.float64], *, multi_label: bool = False) -> None:
        self.mean, self.targets, self.multi_label = tokens.mean(axis=0), targets, multi_label
        centred = tokens - self.mean
        spread, axes = np.linalg.eigh(centred.T @ centred)
        keep = spread > 1e-10 * max(spread[-1], 1e-300)
        self.spread, self.axes = spread[keep], axes[:, keep]
        self.placed = centred @ self.axes
        count = len(tokens)
        shares = np.clip(targets.mean(axis=0), 0.5 / count, 1 - 0.5 / count)
        self.start = np.zeros((len(self.spread) + 1, targets.shape[1]))
        self.start[-1] = np.log(shares / (1 - shares)) if multi_label else np.log(shares)

    def fit(self, strength: float, precision: float = PRECISION) -> LinearHead:
        """Return the head with the lowest sum of cross entropies plus |W|² / (2 · strength).

        The bias is not penalised. `precision` is the largest norm of the gradient at the end, relative to its
        scale.
        """
        count = len(self.placed)
        bound = 0.25 if self.multi_label else 0.5
        curvature = np.append(bound * self.spread + 1 / strength, 0.25 * count)
        scale = 1 / np.sqrt(curvature)[:, None]
        loss = _loss(self.placed, self.targets, 1 / strength, scale, multi_label=self.multi_label)
        self.start = _minimum(loss, self.start / scale, precision * np.sqrt(count)) * scale
        weights = self.axes @ self.start[:-1]
        return LinearHead(weights, self.start[-1] - self.mean @ weights)


def fit_path(
    tokens: Array,
    targets: NDArray[np.float64],
    strengths: Sequence[float],
    *,
    multi_label: bool = False,
    precision: float = PRECISION,
) -> list[LinearHead]:
    """Return the head for each inverse penalty of `strengths`, in their order; ascending ones are fastest.

    The arguments are as in `LogisticPath`.

    Example:

        >>> tokens = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> (head,) = fit_path(tokens, np.eye(2)[[0, 0, 1, 1]], [1.0])
        >>> head.logits(tokens).argmax(axis=1)
        array([0, 0, 1, 1])
    """
    path = LogisticPath(tokens, targets, multi_label=multi_label)
    return [path.fit(strength, precision) for strength in strengths]


def _loss(placed: Array, targets: Array, penalty: float, scale: Array, *, multi_label: bool) -> Value:
    """Return a function of scaled weights (d + 1, classes): the loss and its gradient."""

    def value(scaled: Array) -> tuple[float, Array]:
        weights = scaled * scale
        logits = placed @ weights[:-1] + weights[-1]
        if multi_label:
            entropy = (np.logaddexp(0, logits) - targets * logits).sum()
            wrong = probabilities(logits, multi_label=True) - targets
        else:
            logits -= logits.max(axis=1)[:, None]
            wrong = np.exp(logits)
            sums = wrong.sum(axis=1)
            entropy = np.log(sums).sum() - np.vdot(targets, logits)
            wrong /= sums[:, None]
            wrong -= targets
        gradient = np.empty_like(weights)
        gradient[:-1] = placed.T @ wrong + penalty * weights[:-1]
        gradient[-1] = wrong.sum(axis=0)
        return float(entropy + 0.5 * penalty * np.square(weights[:-1]).sum()), gradient * scale

    return value


def _minimum(loss: Value, x: Array, precision: float) -> Array:
    """Return the minimum of a convex function, by limited-memory BFGS with halved steps."""
    pairs = deque[tuple[Array, Array, float]](maxlen=MEMORY)
    value, gradient = loss(x)
    for _ in range(STEPS):
        if np.linalg.norm(gradient) <= precision:
            break
        direction = -_applied(gradient, pairs)
        slope = float((direction * gradient).sum())
        step = 1.0
        while True:
            following, new = loss(x + step * direction)
            if following <= value + 1e-4 * step * slope or step < 1e-10:
                break
            step /= 2
        moved, turned = step * direction, new - gradient
        curve = float((moved * turned).sum())
        if curve > 1e-12 * float((turned * turned).sum()):
            pairs.append((moved, turned, 1 / curve))
        done = value - following <= 1e-12 * abs(value)
        x, value, gradient = x + moved, following, new
        if done:
            break
    return x


def _applied(gradient: Array, pairs: deque[tuple[Array, Array, float]]) -> Array:
    """Return the gradient times the estimated inverse Hessian: the two-loop recursion."""
    result, weights = gradient.copy(), list[float]()
    for moved, turned, rho in reversed(pairs):
        weights.append(rho * float((moved * result).sum()))
        result -= weights[-1] * turned
    if pairs:
        moved, turned, rho = pairs[-1]
        result *= 1 / (rho * float((turned * turned).sum()))
    for (moved, turned, rho), weight in zip(pairs, reversed(weights), strict=True):
        result += (weight - rho * float((turned * result).sum())) * moved
    return result
