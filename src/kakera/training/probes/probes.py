"""Probes: small classifiers that measure how much information frozen features contain.

Each probe receives features and labels of a training part and features of a test part. It returns the
predictions for the test part. No probe alone measures how good features are: features of a masked autoencoder
are often not linearly separable and have low nearest-neighbour accuracy, although fine-tuning works well.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.contention import one_blas_thread
from kakera.errors import DataError
from kakera.training.probes.features import Features, Labels, indicators, labelled, standardise
from kakera.training.probes.linear import linear
from kakera.training.probes.ridge import ridge

Array = NDArray[np.float64]

NEIGHBOURS = 20
TEMPERATURE = 0.07
FOLDS = 5
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # inverse penalties, strongest penalty first
DEFAULT_STRENGTH = 1.0  # the default of scikit-learn, for too few samples to choose one
ITERATIONS = 2000
BLOCK = 256  # test samples at once, so that similarities to 60 000 training samples take 60 MB


class Probe(Protocol):
    """The signature of all probes: see `ridge`, `logistic`, `nearest` and `linear`.

    Example:

        >>> probe: Probe = PROBES["nearest"]
        >>> probe(np.eye(2), np.array([0, 1]), np.array([[2.0, 0.1]]), classes=2, seed=0).argmax(axis=1)
        array([0])
    """

    def __call__(self, train: Features, labels: Labels, test: Features, *, classes: int, seed: int) -> Array:
        """Fit to `train` (n, d) and its labels; return predictions (m, classes) for `test` (m, d).

        Labels are int (n,) or bool (n, classes).
        """
        ...


def logistic(train: Features, labels: Labels, test: Features, *, classes: int, seed: int) -> Array:
    """Return probabilities (m, classes) of logistic regression on standardised features.

    `train` is (n, d), `test` (m, d). Labels int (n,) use multinomial regression; labels bool (n, classes)
    use one-vs-rest for each class. The inverse penalty is the one of `STRENGTHS` with the lowest log loss in
    stratified cross-validation, or `DEFAULT_STRENGTH` if a class has fewer than `FOLDS` samples. A class
    without a training sample gets 0. Raises DataError as `labelled` does, or if the fit converges for no
    penalty.

    Example:

        >>> train, labels = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
        >>> logistic(train, labels, np.array([[-3.0], [3.0]]), classes=2, seed=0).argmax(axis=1)
        array([0, 1])
    """
    train, labels = labelled(train, labels, classes=classes)
    train, test = standardise(train, test)
    if not len(test):  # scikit-learn does not accept an empty array
        return np.empty((0, classes))
    if labels.dtype == np.bool_:
        columns = labels.astype(np.int64).T
        return np.stack([_logistic(train, column, test, 2, seed)[:, 1] for column in columns], axis=1)
    return _logistic(train, labels.astype(np.int64), test, classes, seed)


def nearest(train: Features, labels: Labels, test: Features, *, classes: int, seed: int) -> Array:
    """Return vote shares (m, classes) of the 20 nearest training samples by cosine similarity.

    `train` is (n, d), `test` (m, d), labels are int (n,) or bool (n, classes). A vote has the weight
    exp(cosine / 0.07) (Wu et al. 2018, section 3.4; Caron et al. 2021, "DINO", appendix). With fewer than 20
    training samples, all of them vote. A multi-label sample votes for each of its labels. `seed` is unused:
    it is part of the signature of all probes. Raises DataError as `labelled` does.

    Example:

        >>> train, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1])
        >>> nearest(train, labels, np.array([[2.0, 0.1]]), classes=2, seed=0).round(2)
        array([[1., 0.]])
    """
    train, labels = labelled(train, labels, classes=classes)
    train, test = _unit(train), _unit(test)
    targets = indicators(labels, classes=classes)
    count = min(NEIGHBOURS, len(train))
    scores = np.empty((len(test), classes))
    for start in range(0, len(test), BLOCK):
        cosines = test[start : start + BLOCK] @ train.T
        chosen = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        close = np.take_along_axis(cosines, chosen, axis=1).astype(np.float64)
        # Subtracting the largest cosine does not change the shares and avoids an overflow.
        votes = np.exp((close - close.max(axis=1, keepdims=True)) / TEMPERATURE)
        votes /= votes.sum(axis=1, keepdims=True)
        scores[start : start + BLOCK] = np.einsum("mk,mkc->mc", votes, targets[chosen])
    return scores


PROBES: Mapping[str, Probe] = {"ridge": ridge, "logistic": logistic, "nearest": nearest, "linear": linear}


def _unit(features: Features) -> Features:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(np.float32).tiny)


def _logistic(train: Array, labels: NDArray[np.int64], test: Array, classes: int, seed: int) -> Array:
    present, counts = np.unique(labels, return_counts=True)
    scores = np.zeros((len(test), classes))
    if len(present) == 1:
        scores[:, present[0]] = 1.0
        return scores
    chosen = DEFAULT_STRENGTH if counts.min() < FOLDS else _choose(train, labels, seed)
    # If the features separate the classes, a fit with a weak penalty may diverge: try a stronger one.
    for strength in sorted((s for s in STRENGTHS if s <= chosen), reverse=True):
        fits = _path(train, labels, test, (strength,))
        if fits:
            scores[:, present] = fits[0]
            return scores
    raise DataError(
        "logistic probe",
        got=f"no convergence in {ITERATIONS} iterations",
        expected="features on a common scale",
        do="use the ridge probe",
    )


def _choose(train: Array, labels: NDArray[np.int64], seed: int) -> float:
    """Return the strength with the lowest mean log loss on held-out folds, among those that converge."""
    from sklearn.model_selection import StratifiedKFold

    places = np.searchsorted(np.unique(labels), labels)
    state = seeding.key(seed, "logistic probe folds") % 2**32
    losses = np.full((FOLDS, len(STRENGTHS)), np.inf)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=state).split(train, labels)
    for fold, (kept, held) in enumerate(folds):
        for i, scores in enumerate(_path(train[kept], labels[kept], train[held], STRENGTHS)):
            true = scores[np.arange(len(held)), places[held]]
            losses[fold, i] = -np.log(np.maximum(true, np.finfo(np.float64).eps)).mean()
    return STRENGTHS[int(losses.mean(axis=0).argmin())]


def _path(train: Array, labels: NDArray[np.int64], test: Array, strengths: tuple[float, ...]) -> list[Array]:
    """Return probabilities (m, present classes) for each strength; each fit starts from the previous one.

    The list ends before the first strength for which the fit does not converge.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=ITERATIONS, warm_start=True)
    results: list[Array] = []
    with warnings.catch_warnings(), one_blas_thread(train.size):
        warnings.simplefilter("error", ConvergenceWarning)
        for strength in strengths:
            try:
                model.set_params(C=strength).fit(train, labels)
            except ConvergenceWarning:
                break
            results.append(np.asarray(model.predict_proba(test)))
    return results
