"""The fits of linear heads, each with what it predicts for the files that it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.training.heads.linear_head import Array, LinearHead, probabilities, scale_of
from kakera.training.heads.logistic import LogisticPath, fit_path
from kakera.training.probes.features import Labels, indicators
from kakera.training.probes.ridge import fit, left_out

HeadKind: TypeAlias = Literal["ridge", "logistic", "prototype"]
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # inverse penalties of logistic regression
DEFAULT = 1e-2  # without labels to choose one
STEEPNESS = 2.0  # from ridge targets of −1 and 1 to logits
MOST = 5000  # files by which the inverse penalty is chosen
ROUGH = 3e-3  # precision of a fit that only compares penalties


@dataclass(frozen=True, eq=False)
class Candidate:
    """A fitted head, and what it predicts for the training files that its fit left out.

    `head` reads raw tokens of `pool`. `logits` (m, classes) are those of the rows `rows` (m,). See
    `compare_heads`.
    """

    kind: HeadKind | Literal["attentive"]
    pool: str
    head: LinearHead
    logits: Array
    rows: NDArray[np.int64]
    strength: float
    """Penalty of ridge regression, inverse penalty of logistic regression; 0 for class means."""
    score: float = float("nan")
    """Accuracy (balanced for uneven classes) of `logits`; for several labels minus the log loss."""
    temperature: float = 1.0
    """Temperature that `logits` need; the head does not contain it yet."""
    losses: Array = field(default_factory=lambda: np.zeros(0))
    """Log loss (m,) of each row of `logits` at that temperature, in nats."""

    @property
    def log_loss(self) -> float:
        """The mean of `losses`; NaN without a left-out file."""
        return float(self.losses.mean()) if len(self.losses) else float("nan")


def fit_ridge(
    tokens: NDArray[Any], labels: Labels, classes: int, folds: NDArray[np.int64], pool: str
) -> Candidate:
    """Fit ridge regression to targets of −1 and 1, and predict each file without itself.

    `tokens` is (n, d), `labels` int (n,) or bool (n, classes). `folds` (n,) are the parts of the files, −1
    for files that are never left out. `pool` is the name of the tokens.

    Example:

        >>> tokens, labels = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
        >>> found = fit_ridge(tokens, labels, 2, np.array([0, 1, 0, 1]), "mean")
        >>> found.head.logits(tokens).argmax(axis=1), found.logits.shape
        (array([0, 0, 1, 1]), (4, 2))
    """
    mean, std = scale_of(tokens)
    seen, targets = (tokens - mean) / std, 2.0 * indicators(labels, classes=classes) - 1.0
    found = fit(seen, targets)
    head = LinearHead(STEEPNESS * found.weights, STEEPNESS * found.intercept).on_raw(mean, std)
    rows = np.flatnonzero(folds >= 0)
    logits = STEEPNESS * left_out(seen, targets, found.penalty)[rows]
    return Candidate("ridge", pool, head, logits, rows, found.penalty)


def fit_prototype(
    tokens: NDArray[Any], labels: Labels, classes: int, folds: NDArray[np.int64], pool: str
) -> Candidate:
    """Fit class means to standardised tokens, and predict each part without its files.

    `tokens` is (n, d), `labels` int (n,) or bool (n, classes). `folds` (n,) are the parts of the files, −1
    for files that are never left out. `pool` is the name of the tokens.

    Example:

        >>> tokens, labels = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
        >>> found = fit_prototype(tokens, labels, 2, np.array([0, 1, 0, 1]), "mean")
        >>> found.head.logits(tokens).argmax(axis=1), found.logits.shape
        (array([0, 0, 1, 1]), (4, 2))
    """
    mean, std = scale_of(tokens)
    seen = (tokens - mean) / std
    rows, logits = np.flatnonzero(folds >= 0), np.zeros((len(tokens), classes))
    for fold in np.unique(folds[rows]).tolist():
        held = folds == fold
        logits[held] = class_means(seen[~held], labels[~held], classes).logits(seen[held])
    return Candidate(
        "prototype", pool, class_means(seen, labels, classes).on_raw(mean, std), logits[rows], rows, 0
    )


def class_means(tokens: Array, labels: Labels, classes: int) -> LinearHead:
    """Return the head whose largest logit is that of the nearest class mean (Snell et al. 2017, eq. 8).

    −|z − m|² / 2 is z·m − |m|² / 2, except for a term that all classes share; here it is also divided by the
    width d. A class without a label gets a very low bias. With several labels, the logit of a class is the
    difference between the files with and without it.

    Example:

        >>> head = class_means(np.array([[0.0], [4.0]]), np.array([0, 1]), 2)
        >>> head.logits(np.array([[1.0], [3.0]])).argmax(axis=1)
        array([0, 1])
    """
    marks = indicators(labels, classes=classes)
    means, known = _mean_of(tokens, marks), marks.any(axis=0)
    width = tokens.shape[1]
    bias = -np.square(means).sum(axis=1) / 2
    if labels.dtype == np.bool_:
        others = _mean_of(tokens, 1.0 - marks)
        return LinearHead((means - others).T / width, (bias + np.square(others).sum(axis=1) / 2) / width)
    return LinearHead(means.T / width, np.where(known, bias / width, -1e3))


def _mean_of(tokens: Array, marks: Array) -> Array:
    return marks.T @ tokens / np.maximum(marks.sum(axis=0), 1.0)[:, None]


def fit_logistic(
    tokens: NDArray[Any], labels: Labels, classes: int, folds: NDArray[np.int64], pool: str
) -> Candidate:
    """Fit logistic regression, with the inverse penalty that predicts left-out files best.

    `tokens` is (n, d), `labels` int (n,) or bool (n, classes). `folds` (n,) are the parts of the files, −1
    for files that are never left out. `pool` is the name of the tokens.

    Example:

        >>> tokens, labels = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
        >>> found = fit_logistic(tokens, labels, 2, np.array([0, 1, 0, 1]), "mean")
        >>> found.head.logits(tokens).argmax(axis=1), found.logits.shape
        (array([0, 0, 1, 1]), (4, 2))
    """
    mean, std = scale_of(tokens)
    seen, targets, several = (
        (tokens - mean) / std,
        indicators(labels, classes=classes),
        labels.dtype == np.bool_,
    )
    rows = np.flatnonzero(folds >= 0)
    rows = rows[:: -(-len(rows) // MOST)] if len(rows) else rows
    strength, logits = DEFAULT, np.zeros((0, classes))
    if len(rows):
        strength, logits = _chosen(seen, targets, folds, rows, several=several)
    (head,) = fit_path(seen, targets, [strength], multi_label=several)
    return Candidate("logistic", pool, head.on_raw(mean, std), logits, rows, strength)


def _chosen(
    seen: Array, targets: Array, folds: NDArray[np.int64], rows: NDArray[np.int64], *, several: bool
) -> tuple[float, Array]:
    """Return the inverse penalty with the lowest log loss on left-out files, and their logits.

    Weaker penalties are tried until the loss rises.
    """
    best, chosen = np.inf, (DEFAULT, np.zeros((len(rows), targets.shape[1])))
    always, parts = np.flatnonzero(folds < 0), list[tuple[NDArray[np.bool_], LogisticPath]]()
    for fold in np.unique(folds[rows]).tolist():
        held = folds[rows] == fold
        kept = np.concatenate([rows[~held], always])
        parts.append((held, LogisticPath(seen[kept], targets[kept], multi_label=several)))
    for strength in STRENGTHS:
        logits = np.zeros((len(rows), targets.shape[1]))
        for held, path in parts:
            logits[held] = path.fit(strength, ROUGH).logits(seen[rows[held]])
        likely, truth = probabilities(logits, multi_label=several), targets[rows]
        right = np.where(truth > 0, likely, 1 - likely) if several else (likely * truth).sum(axis=1)
        loss = float(-np.log(np.maximum(right, np.finfo(np.float64).eps)).mean())
        if loss >= best:
            break
        best, chosen = loss, (strength, logits)
    return chosen
