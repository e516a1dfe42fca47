"""Evaluation of the predictions of a classifier, for single labels and multi-label data.

The average precision of scikit-learn is imported only for multi-label data, because the import takes over a
second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.formats.classes import exceeds_threshold
from kakera.training.metrics_report import ClassResult, Evaluation
from kakera.training.predictions import Predictions, Rows

BINS = 15  # of the calibration error, as in Guo et al. 2017
SHOWN = 100  # most classes for a full confusion matrix
PAIRS = 100  # number of most confused pairs of classes to list


def evaluate(
    scores: NDArray[np.floating[Any]],
    labels: NDArray[np.int64] | NDArray[np.bool_],
    classes: tuple[str, ...],
    thresholds: tuple[float, ...] = (),
) -> Evaluation:
    """Compare predictions with labels and return all measures.

    `scores` (n, classes) are probabilities or logits. `labels` are int (n,), −1 for unlabelled samples, or
    bool (n, classes) for multi-label data; then `thresholds` are the least scores of the predicted classes,
    0.5 for each if empty. Raises DataError if no sample has a label, the shapes do not match, a label is not
    a class number, or a score is not finite.

    Example:

        >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> evaluate(scores, np.array([0, 1, 1]), ("cat", "dog")).balanced_accuracy
        0.75
    """
    multi_label = labels.dtype == np.bool_
    expected = (len(scores), len(classes)) if multi_label else (len(scores),)
    if scores.shape != (len(scores), len(classes)) or labels.shape != expected:
        raise _refusal(
            got=f"predictions of shape {scores.shape} and labels of shape {labels.shape}",
            expected=f"{len(classes)} probabilities or logits and a label for each sample",
        )
    if not multi_label and len(labels) and not -1 <= labels.min() <= labels.max() < len(classes):
        raise _refusal(
            got=f"labels from {labels.min()} to {labels.max()}", expected=f"−1 to {len(classes) - 1}"
        )
    predictions = Predictions.of(scores, labels, np.arange(len(scores)))
    return evaluate_predictions(predictions, labels, classes, thresholds)


def evaluate_predictions(
    predictions: Predictions,
    labels: NDArray[np.int64] | NDArray[np.bool_],
    classes: tuple[str, ...],
    thresholds: tuple[float, ...] = (),
) -> Evaluation:
    """Compare `Predictions` with the labels of the same files, as `evaluate` does.

    Time and memory grow linearly with the numbers of files and classes; for multi-label data, with their
    product. Raises DataError if no file has a label or a prediction is not finite.

    Example:

        >>> labels = np.array([0, 1])
        >>> predictions = Predictions.of(np.array([[0.9, 0.1], [0.2, 0.8]]), labels, np.arange(2))
        >>> evaluate_predictions(predictions, labels, ("cat", "dog")).accuracy
        1.0
    """
    if labels.dtype == np.bool_:
        scores = predictions.probabilities
        assert scores is not None
        if not len(scores):
            raise _nothing_labelled(0)
        if not all(np.isfinite(column).all() for column in scores.T):
            raise _refusal(got="predictions that are not finite", expected="finite numbers")
        return _several_labels(scores, labels, classes, thresholds)
    known = labels >= 0
    if not known.any():
        raise _nothing_labelled(len(labels))
    rows = predictions.rows[known]
    if not (np.isfinite(rows["confidence"]) & np.isfinite(rows["of_truth"])).all():
        raise _refusal(got="predictions that are not finite", expected="finite numbers")
    return _one_label(rows, labels[known], classes, int((~known).sum()))


def _one_label(rows: Rows, labels: NDArray[Any], classes: tuple[str, ...], unlabelled: int) -> Evaluation:
    guesses, count = rows["guess"], len(classes)
    hits = guesses == labels
    right, guessed, true = (
        np.bincount(numbers, minlength=count) for numbers in (labels[hits], guesses, labels)
    )
    per_class = _per_class(classes, right, guessed, true)
    probable = bool(rows["probable"].all())
    floor = np.finfo(np.float64).eps
    return Evaluation(
        count=len(labels),
        unlabelled=unlabelled,
        per_class=per_class,
        accuracy=float(hits.mean()),
        balanced_accuracy=_mean([row.recall for row in per_class]),
        macro_f1=_mean([row.f1 for row in per_class]),
        # Ties go to the first class, as in the predicted class, so that top-1 and top-5 agree.
        top5=float((rows["above"] < 5).mean()) if count > 5 else None,
        log_loss=0.0 - float(np.log(np.maximum(rows["of_truth"], floor)).mean()) if probable else None,
        calibration_error=_calibration_error(rows["confidence"], hits) if probable else None,
        confusion=_table(labels, guesses, count) if count <= SHOWN else None,
        confused=_pairs(labels[~hits], guesses[~hits], classes),
    )


def _table(labels: NDArray[Any], guesses: NDArray[Any], count: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(labels * count + guesses, minlength=count * count).reshape(count, count)
    return tuple(tuple(row) for row in counts.tolist())


def _pairs(
    labels: NDArray[Any], guesses: NDArray[Any], classes: tuple[str, ...]
) -> tuple[tuple[str, str, int], ...]:
    """Return true class, predicted class and number of files of the most frequent errors."""
    pairs, counts = np.unique(labels * len(classes) + guesses, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:PAIRS]
    return tuple(
        (classes[pair // len(classes)], classes[pair % len(classes)], count)
        for pair, count in zip(pairs[most].tolist(), counts[most].tolist(), strict=True)
    )


def _several_labels(
    scores: NDArray[np.floating[Any]],
    labels: NDArray[Any],
    classes: tuple[str, ...],
    thresholds: tuple[float, ...],
) -> Evaluation:
    from sklearn.metrics import average_precision_score

    guesses = exceeds_threshold(scores, thresholds)
    hits, guessed, true = (labels & guesses).sum(axis=0), guesses.sum(axis=0), labels.sum(axis=0)
    precisions = [
        float(average_precision_score(labels[:, i], scores[:, i])) if true[i] else None
        for i in range(len(classes))
    ]
    rows = _per_class(classes, hits, guessed, true, precisions)
    return Evaluation(
        count=len(labels),
        unlabelled=0,
        per_class=rows,
        mean_average_precision=_mean(precisions),
        micro_f1=_ratio(2 * hits.sum(), guessed.sum() + true.sum()),
        macro_f1=_mean([row.f1 for row in rows]),
        thresholds=thresholds or None,
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
    """Return the expected calibration error (Guo et al. 2017, equation 3).

    It is |accuracy − confidence| in bins of equal width, weighted by the number of samples.
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def _ratio(part: np.integer[Any], whole: np.integer[Any]) -> float | None:
    return float(part / whole) if whole else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _nothing_labelled(count: int) -> DataError:
    return _refusal(got=f"{count} samples, none with a label", expected="at least one labelled sample")


def _refusal(*, got: str, expected: str) -> DataError:
    return DataError("evaluation", got=got, expected=expected, do="check the labels of the test set")
