"""Ridge regression in closed form; leave-one-out error chooses the penalty.

Let Z be the samples along their principal axes and e the variances (times n) along these axes. The fit to
centred targets t is Z (Zᵀt / (e + λ)). Sample i has the leverage hᵢ = 1/n + Σⱼ Zᵢⱼ² / (eⱼ + λ) on its own
fit. Without sample i, its residual rᵢ becomes rᵢ / (1 − hᵢ) (Allen 1974; Hastie, Tibshirani and Friedman
2009, section 7.10.1). Therefore one eigendecomposition is enough for all penalties and all samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.training.probes.features import Features, Labels, indicators, labelled, standardise

Array = NDArray[np.float64]
# Penalties in units of the mean variance along an axis: from almost none to almost zero weights.
GRID: Array = np.logspace(-6, 4, 41)


@dataclass(frozen=True)
class Ridge:
    """A fitted ridge regression; predictions are `features @ weights + intercept`. See `fit`.

    `weights` is (d, classes), `intercept` (classes,). `penalties` (p,) are the tried penalties, `errors` (p,)
    their mean squared leave-one-out errors. `penalty` is the one with the lowest error.
    """

    weights: Array
    intercept: Array
    penalty: float
    penalties: Array
    errors: Array


def ridge(
    train: Features, labels: Labels, test: Features, *, classes: int, seed: int, grid: Array = GRID
) -> Array:
    """Return least-squares estimates (m, classes) of the probability of each class.

    `train` (n, d) and `test` (m, d) are standardised by `train`. Labels are int (n,) or bool (n, classes).
    The targets are ±1; the result is mapped from −1 … 1 to 0 … 1 (threshold 0.5) and may exceed this range.
    `grid` are the penalties to choose from. `seed` is unused: it is part of the signature of all probes.
    Raises DataError as `labelled` does.

    Example:

        >>> train, labels = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
        >>> ridge(train, labels, np.array([[-3.0], [3.0]]), classes=2, seed=0).argmax(axis=1)
        array([0, 1])
    """
    train, labels = labelled(train, labels, classes=classes)
    train, test = standardise(train, test)
    result = fit(train, 2.0 * indicators(labels, classes=classes) - 1.0, grid)
    return (test @ result.weights + result.intercept + 1.0) / 2.0


def fit(features: Array, targets: Array, grid: Array = GRID) -> Ridge:
    """Fit targets (n, classes) to features (n, d), with an unpenalised intercept.

    `grid` are the penalties to choose from, relative to the mean variance along a principal axis.

    Example:

        >>> result = fit(np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]]))
        >>> result.weights.round(3), result.intercept.round(3)
        (array([[2.]]), array([1.]))
    """
    mean, offset = features.mean(axis=0), targets.mean(axis=0)
    features, targets = features - mean, targets - offset
    axes, spread = _principal_axes(features)
    placed = features @ axes
    pull = placed.T @ targets
    penalties = grid * (spread.mean() if len(spread) else 1.0)
    shrink = 1.0 / (spread[:, None] + penalties)
    leverage = 1.0 / len(features) + placed**2 @ shrink
    # A single sample has leverage 1 and residual 0: this avoids 0 / 0.
    left = np.maximum(1.0 - leverage, np.finfo(np.float64).eps)
    errors = np.array(
        [
            np.mean(((targets - placed @ (shrink[:, i, None] * pull)) / left[:, i, None]) ** 2)
            for i in range(len(penalties))
        ],
        dtype=np.float64,
    )
    best = int(errors.argmin())
    weights = axes @ (shrink[:, best, None] * pull)
    return Ridge(weights, offset - mean @ weights, float(penalties[best]), penalties, errors)


def left_out(features: Array, targets: Array, penalty: float) -> Array:
    """Return the prediction (n, classes) for each sample of the fit to all other samples.

    `features` is (n, d), `targets` (n, classes), `penalty` is that of `Ridge`. Each sample is predicted
    without itself (Allen 1974), without a second fit.

    Example:

        >>> x, y = np.array([[0.0], [1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [2.0], [5.0]])
        >>> rest = np.polyfit([0.0, 1.0, 2.0], [1.0, 2.0, 2.0], 1)
        >>> round(float(left_out(x, y, 1e-9)[3, 0]), 3) == round(float(np.polyval(rest, 4.0)), 3)
        True
    """
    offset = targets.mean(axis=0)
    centred = features - features.mean(axis=0)
    axes, spread = _principal_axes(centred)
    placed = centred @ axes
    shrink = 1.0 / (spread + penalty)
    fitted = offset + placed @ (shrink[:, None] * (placed.T @ (targets - offset)))
    left = np.maximum(1.0 - 1.0 / len(features) - np.square(placed) @ shrink, np.finfo(np.float64).eps)
    return targets - (targets - fitted) / left[:, None]


def _principal_axes(centred: Array) -> tuple[Array, Array]:
    """Return axes (d, r) and variances times n (r,) of centred features (n, d).

    Uses the smaller of XᵀX and XXᵀ. Leaves out axes without variance: r is at most min(n − 1, d).
    """
    samples, width = centred.shape
    wide = width > samples
    spread, axes = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    varies = spread > 1e-10 * spread[-1]
    spread, axes = spread[varies], axes[:, varies]
    return (centred.T @ axes / np.sqrt(spread) if wide else axes), spread
