"""Ridge regression in closed form, its penalty chosen by the error of leaving each sample out.

With Z the samples along their principal axes and e the variances (times n) along these, the fit to centred
targets t is Z (Zᵀt / (e + λ)). Sample i pulls its own fit by its leverage hᵢ = 1/n + Σⱼ Zᵢⱼ² / (eⱼ + λ), and
leaving it out makes its residual rᵢ into rᵢ / (1 − hᵢ) (Allen 1974; Hastie, Tibshirani and Friedman 2009,
section 7.10.1). So one eigendecomposition serves every penalty and every sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.training.probes.features import Features, Labels, indicators, labelled, standardise

Array = NDArray[np.float64]
# Penalties in units of the mean variance along an axis: from next to none to next to nothing left.
GRID: Array = np.logspace(-6, 4, 41)


@dataclass(frozen=True)
class Ridge:
    """A fit: scores are `features @ weights + intercept`.

    weights (d, classes), intercept (classes,), penalties (p,) and the mean squared leave-one-out error of
    each, errors (p,); `penalty` is the one with the least.
    """

    weights: Array
    intercept: Array
    penalty: float
    penalties: Array
    errors: Array


def ridge(
    train: Features, labels: Labels, test: Features, *, classes: int, seed: int, grid: Array = GRID
) -> Array:
    """Scores (m, classes): least-squares estimates of the probability of each class.

    Train (n, d) and test (m, d) are standardised by train, the targets ±1, the scores brought from −1 … 1
    to 0 … 1 (0.5 is the border); they may go beyond. Labels int (n,) or bool (n, classes); `grid` are
    the penalties to choose from. Nothing is drawn: `seed` is there for the signature of all probes. Raises
    DataError as `labelled` does.
    """
    train, labels = labelled(train, labels, classes=classes)
    train, test = standardise(train, test)
    found = fit(train, 2.0 * indicators(labels, classes=classes) - 1.0, grid)
    return (test @ found.weights + found.intercept + 1.0) / 2.0


def fit(features: Array, targets: Array, grid: Array = GRID) -> Ridge:
    """Fit targets (n, classes) to features (n, d), with an intercept that is not penalised."""
    mean, offset = features.mean(axis=0), targets.mean(axis=0)
    features, targets = features - mean, targets - offset
    axes, spread = _principal_axes(features)
    placed = features @ axes
    pull = placed.T @ targets
    penalties = grid * (spread.mean() if len(spread) else 1.0)
    shrink = 1.0 / (spread[:, None] + penalties)
    leverage = 1.0 / len(features) + placed**2 @ shrink
    # A lone sample has leverage 1 and residual 0, which is no error either.
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


def _principal_axes(centred: Array) -> tuple[Array, Array]:
    """Axes (d, r) and spread (r,) of centred features (n, d), by the smaller of XᵀX and XXᵀ.

    Axes along which nothing varies are left out: r is at most min(n − 1, d).
    """
    samples, width = centred.shape
    wide = width > samples
    spread, axes = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    varies = spread > 1e-10 * spread[-1]
    spread, axes = spread[varies], axes[:, varies]
    return (centred.T @ axes / np.sqrt(spread) if wide else axes), spread
