"""The choice of a head by the labels that each fit leaves out; the test part is not used.

Ridge regression predicts each file without itself, in closed form. Logistic regression and class means are
fitted again without each of five parts. The best tokens are chosen with ridge regression and class means,
which take milliseconds; logistic regression is fitted on these tokens only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.data.checks.warnings import uneven
from kakera.training.heads.fits import Candidate, HeadKind, fit_logistic, fit_prototype, fit_ridge
from kakera.training.heads.linear_head import probabilities
from kakera.training.heads.temperature import fit_temperature
from kakera.training.probes.features import Labels, indicators

FOLDS = 5
CLEARLY = 2.0  # standard errors of the paired difference in log loss by which another head must be better


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
    quick = [
        judged(_FITS[kind](values, labels, classes, folds, pool), labels, classes)
        for pool, values in tokens.items()
        for kind in [kind for kind in kinds if kind != "logistic"] or ["ridge"]
    ]
    found = [one for one in quick if one.kind in kinds]
    if "logistic" in kinds:
        pool = max(quick, key=_order).pool
        found.append(judged(fit_logistic(tokens[pool], labels, classes, folds, pool), labels, classes))
    found.sort(key=_order, reverse=True)
    first = next((one for one in found if one.kind == "ridge"), None)
    if first is not None and not beats(found[0], first):
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


def beats(candidate: Candidate, other: Candidate) -> bool:
    """Return True if the log loss of `candidate` is lower by more than `CLEARLY` standard errors.

    False for fewer than two files that both have left out. See `compare_heads`.
    """
    gain, error, count = paired_gain(candidate, other)
    return count > 1 and gain > CLEARLY * error


def paired_gain(candidate: Candidate, other: Candidate) -> tuple[float, float, int]:
    """Return by how much the log loss of `candidate` is lower, the standard error, and the number of files.

    The files are those that both have left out; without two of them the result is NaN. See `compare_heads`.
    """
    _, own, its = np.intersect1d(candidate.rows, other.rows, return_indices=True)
    if len(own) < 2:
        return float("nan"), float("nan"), len(own)
    gain = other.losses[its] - candidate.losses[own]
    return float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain))), len(gain)


def _order(candidate: Candidate) -> float:
    return -np.nan_to_num(candidate.log_loss, nan=1e9)


_FITS = {"ridge": fit_ridge, "prototype": fit_prototype}
