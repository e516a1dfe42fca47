"""How good a classifier's scores are: one label a sample, or several.

scikit-learn's average precision is imported when several labels need it, since that takes over a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError, sentence
from kakera.training.evaluation import ClassResult, Evaluation

BINS = 15  # of the calibration error, as in Guo et al. 2017


def evaluate(
    scores: NDArray[np.floating[Any]], labels: NDArray[np.int64] | NDArray[np.bool_], classes: tuple[str, ...]
) -> Evaluation:
    """Compare scores (n, classes) with labels: int (n,), −1 where unlabelled, or bool (n, classes).

    Raises DataError where nothing is labelled, the shapes do not fit, a label is no class, or a score is
    not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    several = labels.dtype == np.bool_
    expected = (len(scores), len(classes)) if several else (len(scores),)
    if scores.shape != (len(scores), len(classes)) or labels.shape != expected:
        raise _refusal(
            got=f"scores of shape {scores.shape} and labels of shape {labels.shape}",
            expected=f"a row of {len(classes)} scores and a label for each sample",
        )
    if not several and len(labels) and not -1 <= labels.min() <= labels.max() < len(classes):
        raise _refusal(
            got=f"labels from {labels.min()} to {labels.max()}", expected=f"−1 to {len(classes) - 1}"
        )
    known = np.ones(len(labels), dtype=np.bool_) if several else labels >= 0
    if not known.any():
        raise _refusal(
            got=f"{len(labels)} samples, none with a label", expected="at least one labelled sample"
        )
    if not np.isfinite(scores[known]).all():
        raise _refusal(got="scores that are not finite", expected="numbers")
    measure = _several_labels if several else _one_label
    return measure(scores[known], labels[known], classes, int((~known).sum()))


def _one_label(
    scores: NDArray[np.float64], labels: NDArray[Any], classes: tuple[str, ...], unlabelled: int
) -> Evaluation:
    guesses = scores.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (labels, guesses), 1)
    rows = _per_class(classes, confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))
    # Ties go to the first class here as in argmax, so top-1 and top-5 agree about them.
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    probable = bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1.0, atol=1e-3))
    true_scores = np.take_along_axis(scores, labels[:, None], axis=1)
    return Evaluation(
        count=len(labels),
        unlabelled=unlabelled,
        per_class=rows,
        accuracy=float((guesses == labels).mean()),
        balanced_accuracy=_mean([row.recall for row in rows]),
        macro_f1=_mean([row.f1 for row in rows]),
        top5=float((best == labels[:, None]).any(axis=1).mean()) if len(classes) > 5 else None,
        log_loss=float(-np.log(np.maximum(true_scores, np.finfo(np.float64).eps)).mean())
        if probable
        else None,
        calibration_error=_calibration_error(scores.max(axis=1), guesses == labels) if probable else None,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


def _several_labels(
    scores: NDArray[np.float64], labels: NDArray[Any], classes: tuple[str, ...], unlabelled: int
) -> Evaluation:
    from sklearn.metrics import average_precision_score

    guesses = scores > 0.5
    hits, guessed, true = (labels & guesses).sum(axis=0), guesses.sum(axis=0), labels.sum(axis=0)
    precisions = [
        float(average_precision_score(labels[:, i], scores[:, i])) if true[i] else None
        for i in range(len(classes))
    ]
    rows = _per_class(classes, hits, guessed, true, precisions)
    return Evaluation(
        count=len(labels),
        unlabelled=unlabelled,
        per_class=rows,
        mean_average_precision=_mean(precisions),
        micro_f1=_ratio(2 * hits.sum(), guessed.sum() + true.sum()),
        macro_f1=_mean([row.f1 for row in rows]),
    )


def _per_class(
    classes: tuple[str, ...],
    hits: NDArray[np.int64],
    guessed: NDArray[np.int64],
    true: NDArray[np.int64],
    precisions: list[float | None] | None = None,
) -> tuple[ClassResult, ...]:
    return tuple(
        ClassResult(
            name=name,
            count=int(true[i]),
            precision=_ratio(hits[i], guessed[i]),
            recall=_ratio(hits[i], true[i]),
            f1=_ratio(2 * hits[i], guessed[i] + true[i]) if true[i] else None,
            average_precision=precisions[i] if precisions else None,
        )
        for i, name in enumerate(classes)
    )


def _calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Guo et al. 2017, equation 3: |accuracy − confidence| in equal bins, weighted by their samples."""
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def _ratio(part: np.integer[Any], whole: np.integer[Any]) -> float | None:
    return float(part / whole) if whole else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _refusal(*, got: str, expected: str) -> DataError:
    return DataError(
        sentence("evaluation", got=got, expected=expected, do="check the labels of the test set")
    )
