"""The choice of a head by the labels that each fit leaves out; the test part is not used.

Ridge regression predicts each file without itself, in closed form. Logistic regression and class means are
fitted again without each of five parts. The best tokens are chosen with ridge regression and class means,
which take milliseconds; logistic regression is fitted on these tokens only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.data.checks.warnings import uneven
from kakera.training.heads.linear_head import Array, LinearHead, probabilities, scale_of
from kakera.training.heads.logistic import LogisticPath, fit_path
from kakera.training.heads.temperature import fit_temperature
from kakera.training.probes.features import Labels, indicators
from kakera.training.probes.ridge import fit, left_out

HeadKind: TypeAlias = Literal["ridge", "logistic", "prototype"]
FOLDS = 5
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # inverse penalties of logistic regression
DEFAULT = 1e-2  # without labels to choose one
CLEARLY = 2.0  # standard errors of the paired difference in log loss by which another head must be better
STEEPNESS = 2.0  # from ridge targets of −1 and 1 to logits
MOST = 5000  # files by which the inverse penalty is chosen
ROUGH = 3e-3  # precision of a fit that only compares penalties


@dataclass(frozen=True, eq=False)
class Candidate:
    """A fitted head, and what it predicts for the training files that its fit left out.

    `head` reads raw tokens of `pool`. `logits` (m, classes) are those of the rows `rows` (m,). See
    `compare_heads`.
    """

    kind: HeadKind
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


def compare_heads(
    tokens: Mapping[str, NDArray[Any]],
    labels: Labels,
    classes: int,
    kinds: Sequence[HeadKind],
    *,
    seed: int = 0,
) -> list[Candidate]:
    """Fit each kind of head to tokens (n, d) of each pooling; return the candidates, the best first.

    `labels` are int (n,) or bool (n, classes). A class with a single label takes part in each fit, and is
    left out of the comparison. Candidates are compared by their log loss at their temperature, which varies
    less than the accuracy. Ridge regression is the best one unless another one is clearly better (see
    `CLEARLY`): on few labels, measured, the lowest loss alone chooses worse heads.

    Example:

        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(40) % 2
        >>> tokens = {"mean": rng.normal(size=(40, 4)) + 3 * labels[:, None]}
        >>> best = compare_heads(tokens, labels, 2, ["ridge", "prototype"])[0]
        >>> best.score > 0.9, best.head.weights.shape
        (True, (4, 2))
    """
    folds = fold_numbers(labels, seed)
    cheap = [kind for kind in kinds if kind != "logistic"]
    found = [
        judged(_FITS[kind](values, labels, classes, folds, pool), labels, classes)
        for pool, values in tokens.items()
        for kind in cheap
    ]
    if "logistic" in kinds:
        pools = [max(found, key=_order).pool] if found else [*tokens]
        found += [
            judged(_logistic(tokens[pool], labels, classes, folds, pool), labels, classes) for pool in pools
        ]
    found.sort(key=_order, reverse=True)
    first = next((one for one in found if one.kind == "ridge"), None)
    if first is not None and not _clearly_better(found[0], first):
        found.remove(first)
        found.insert(0, first)
    return found


def fold_numbers(labels: Labels, seed: int) -> NDArray[np.int64]:
    """Return the part, 0 to 4, in which each file is left out (n,); −1 for the only file of its class.

    The files of each class are dealt out in turn, in random order, so the parts have about the same shares.

    Example:

        >>> np.bincount(fold_numbers(np.zeros(10, np.int64), seed=0)).tolist()
        [2, 2, 2, 2, 2]
        >>> fold_numbers(np.array([0, 1, 1]), seed=0).tolist()[0]
        -1
    """
    order = seeding.permutation(seed, 0, len(labels), "head folds")
    if labels.ndim == 2:
        found = np.empty(len(labels), np.int64)
        found[order] = np.arange(len(labels)) % FOLDS
        return found
    found, turn = np.full(len(labels), -1, np.int64), 0
    for number in np.unique(labels).tolist():
        rows = order[labels[order] == number]
        if len(rows) > 1:
            found[rows] = (np.arange(len(rows)) + turn) % FOLDS
            turn += len(rows)
    return found


def judged(candidate: Candidate, labels: Labels, classes: int) -> Candidate:
    """Return the candidate with its score, temperature and log loss on the left-out files.

    See `compare_heads`.
    """

    several, truth = labels.dtype == np.bool_, labels[candidate.rows]
    if not len(truth):
        return candidate
    targets = indicators(truth, classes=classes)
    temperature = fit_temperature(candidate.logits, targets, multi_label=several)
    likely = probabilities(candidate.logits / temperature, multi_label=several)
    floor = np.finfo(np.float64).eps
    if several:
        losses = -np.log(np.maximum(np.where(truth, likely, 1 - likely), floor)).mean(axis=1)
        return replace(candidate, score=-float(losses.mean()), temperature=temperature, losses=losses)
    hits = candidate.logits.argmax(axis=1) == truth
    losses = -np.log(np.maximum(likely[np.arange(len(truth)), truth], floor))
    score = hits.mean()
    if uneven(np.bincount(truth).tolist()):
        score = np.mean([hits[truth == number].mean() for number in np.unique(truth)])
    return replace(candidate, score=float(score), temperature=temperature, losses=losses)


def _clearly_better(candidate: Candidate, other: Candidate) -> bool:
    """Return True if the log loss of `candidate` is lower by more than `CLEARLY` standard errors."""
    _, own, its = np.intersect1d(candidate.rows, other.rows, return_indices=True)
    if len(own) < 2:
        return False
    gain = other.losses[its] - candidate.losses[own]
    return bool(gain.mean() > CLEARLY * gain.std(ddof=1) / np.sqrt(len(gain)))


def _order(candidate: Candidate) -> float:
    return -np.nan_to_num(candidate.log_loss, nan=1e9)


def _ridge(
    tokens: NDArray[Any], labels: Labels, classes: int, folds: NDArray[np.int64], pool: str
) -> Candidate:
    mean, std = scale_of(tokens)
    seen, targets = (tokens - mean) / std, 2.0 * indicators(labels, classes=classes) - 1.0
    found = fit(seen, targets)
    head = LinearHead(STEEPNESS * found.weights, STEEPNESS * found.intercept).on_raw(mean, std)
    rows = np.flatnonzero(folds >= 0)
    logits = STEEPNESS * left_out(seen, targets, found.penalty)[rows]
    return Candidate("ridge", pool, head, logits, rows, found.penalty)


def _prototype(
    tokens: NDArray[Any], labels: Labels, classes: int, folds: NDArray[np.int64], pool: str
) -> Candidate:
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


def _logistic(
    tokens: NDArray[Any], labels: Labels, classes: int, folds: NDArray[np.int64], pool: str
) -> Candidate:
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


_FITS = {"ridge": _ridge, "prototype": _prototype}
