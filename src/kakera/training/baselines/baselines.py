"""Baselines: simple classifiers that are trained within about a minute, on the same split and labels.

A network is only useful if it is better than the best baseline.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakera.contention import one_blas_thread
from kakera.data.dataset import Dataset
from kakera.errors import KakeraError
from kakera.training.baselines.confidence import balanced
from kakera.training.metrics import evaluate
from kakera.training.planning.baseline_costs import MOST
from kakera.training.probes.features import Features, Labels, standardise
from kakera.training.probes.ridge import GRID, ridge

if TYPE_CHECKING:
    from kakera.formats.bundle import Pretrained

NEIGHBOURS = 10  # number of neighbours that vote for multi-label data
BLOCK = 512  # test files whose distances are computed at once, which limits the memory
MAJORITY, FROZEN = "majority class", "frozen encoder, ridge"
MOST_SCORES = 10_000_000  # limit of files × classes for ridge regression, which needs several such arrays
MOST_CLASSES = 100  # with more classes, logistic regression is slow
STRENGTH = 0.03  # inverse penalty of logistic regression on standardised features
NAMES = {  # names of the linear classifiers, by features
    "pixels": "16 x 16 pixels, ridge",
    "histograms": "colours and edges, ridge",
    "spectrum": "mean spectrum, ridge",
}
NEAREST = {
    "pixels": "16 x 16 pixels, nearest",
    "histograms": "colours and edges, nearest",
    "spectrum": "mean spectrum, nearest",
}
BALANCED = "colours and edges, logistic, balanced classes"

Scores = NDArray[np.float64]
Answers = NDArray[Any]
"""Predicted classes (m,), or probabilities or similar scores (m, classes)."""


@dataclass(frozen=True)
class Baseline:
    """The measures of one baseline on the test files; None for measures that do not apply.

    `hits` has one character per test file, "1" for a correct prediction; it is empty for multi-label data.
    See `measure_baselines`.
    """

    name: str
    accuracy: float | None
    balanced_accuracy: float | None
    mean_average_precision: float | None
    hits: str = ""


@dataclass(frozen=True)
class Baselines:
    """The measures of several baselines, the numbers of files, and notes on baselines that were left out.

    See `measure_baselines`.
    """

    train: int
    train_of: int
    test_of: int
    rows: tuple[int, ...]
    """Numbers of the test files, in the order of `hits`."""
    found: tuple[Baseline, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Baselines:
        """Make baselines from the result of `to_json`. Raises TypeError or KeyError for other values."""
        tuples: dict[str, Any] = {name: tuple(values[name]) for name in ("rows", "notes")}
        tuples["found"] = tuple(Baseline(**one) for one in values["found"])
        return cls(**{**values, **tuples})


def measure_baselines(
    train: Dataset,
    test: Dataset,
    *,
    start: Callable[[], Pretrained] | None = None,
    frozen: int = MOST,
    workers: int = 0,
    device: str = "auto",
) -> Baselines:
    """Fit each baseline to labelled training files and evaluate it on labelled test files.

    Uses at most `MOST` files of each part, drawn with a fixed seed. `start` returns the encoder from which
    fine-tuning started; its frozen tokens are computed for at most `frozen` files of both parts together.
    Raises DataError if no file is readable.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> demo = open_dataset("demo")
        >>> result = measure_baselines(demo.part("train").take(range(20)), demo.part("test").take(range(10)))
        >>> [one.name for one in result.found][:3]
        ['majority class', '16 x 16 pixels, ridge', '16 x 16 pixels, nearest']
    """
    from kakera.training.baselines.frozen import some
    from kakera.training.baselines.simple_features import picture_features, sound_features

    began = time.monotonic()
    whole = Baselines(0, len(train), len(test), (), ())
    train, test_rows = train.take(some(len(train))), some(len(test))
    test = test.take(test_rows)
    look = picture_features if train.sounds is None else sound_features
    (seen, kept), (unseen, test_kept) = look(train), look(test)
    train, test, test_rows = train.take(kept), test.take(test_kept), test_rows[test_kept]
    assert train.labels is not None
    assert test.labels is not None
    classes, labels = len(train.classes), train.labels
    linear = classes * max(len(train), len(test)) <= MOST_SCORES
    found, notes = [_measured(MAJORITY, _majority(labels, len(test), classes), test)], list[str]()
    for kind, values in seen.items():
        if linear:
            found.append(_measured(NAMES[kind], _linear(values, labels, unseen[kind], classes), test))
        found.append(_measured(NEAREST[kind], nearest(values, labels, unseen[kind], classes), test))
        if kind == "histograms" and not train.multi_label and classes <= MOST_CLASSES:
            scores = balanced_logistic(values, labels, unseen[kind], classes)
            found.append(_measured(BALANCED, scores, test))
    if not linear:
        notes.append(f"ridge: left out, it needs too much memory for {classes:,} classes")
    if start is not None:
        try:
            if not linear:
                raise ValueError(f"it needs too much memory for {classes:,} classes")
            scores = _frozen(start(), train, test, frozen, workers, device)
            found.append(_measured(FROZEN, scores, test))
        except (KakeraError, ValueError) as error:
            notes.append(f"{FROZEN}: left out, {error}")
    rows, seconds = tuple(test_rows.tolist()), round(time.monotonic() - began, 1)
    return replace(
        whole, train=len(train), rows=rows, found=tuple(found), notes=tuple(notes), seconds=seconds
    )


def nearest(train: Features, labels: Labels, test: Features, classes: int) -> Answers:
    """Return the label, int (m,), of the nearest training file by Euclidean distance.

    `train` is (n, d), `test` (m, d), labels are int (n,) or bool (n, classes). For multi-label data the
    result is (m, classes): the share of the `NEIGHBOURS` nearest files that have each label.

    Example:

        >>> train, labels = np.array([[0.0], [1.0]]), np.array([0, 1])
        >>> nearest(train, labels, np.array([[0.2], [0.9]]), classes=2)
        array([0, 1])
    """
    multi_label = labels.dtype == np.bool_
    count = min(NEIGHBOURS, len(train))
    lengths = np.square(train).sum(axis=1)
    result = np.empty(
        (len(test), classes) if multi_label else len(test), np.float64 if multi_label else np.int64
    )
    for start in range(0, len(test), BLOCK):
        distances = lengths - 2 * test[start : start + BLOCK] @ train.T
        if multi_label:
            chosen = np.argpartition(distances, count - 1, axis=1)[:, :count]
            result[start : start + BLOCK] = labels[chosen].mean(axis=1)
        else:
            result[start : start + BLOCK] = labels[distances.argmin(axis=1)]
    return result


def balanced_logistic(train: Features, labels: Labels, test: Features, classes: int) -> Scores:
    """Return probabilities (m, classes) of logistic regression in which all classes have the same weight.

    `train` is (n, d), `test` (m, d), `labels` int (n,). A class without a training file gets 0.

    Example:

        >>> train, labels = np.array([[0.0], [0.1], [1.0]]), np.array([0, 0, 1])
        >>> balanced_logistic(train, labels, np.array([[0.2], [0.9]]), classes=2).argmax(axis=1)
        array([0, 1])
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    scores, present = np.zeros((len(test), classes)), np.unique(labels)
    if len(present) < 2:
        scores[:, present] = 1.0
        return scores
    seen, unseen = standardise(train, test)
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=200)
    with warnings.catch_warnings(), one_blas_thread(seen.size):
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 iterations are enough for a baseline
        model.fit(seen, labels)
    scores[:, present] = model.predict_proba(unseen)
    return scores


def _majority(labels: Labels, count: int, classes: int) -> Answers:
    """Return the most frequent class for each of `count` files; for multi-label data the label shares."""
    if labels.dtype == np.bool_:
        return np.tile(labels.mean(axis=0), (count, 1))
    return np.full(count, np.bincount(labels.astype(np.int64), minlength=classes).argmax())


def _linear(train: Features, labels: Labels, test: Features, classes: int) -> Scores:
    return ridge(train, labels, test, classes=classes, seed=0, grid=GRID[::4])


def _frozen(saved: Pretrained, train: Dataset, test: Dataset, most: int, workers: int, device: str) -> Scores:
    """Return ridge regression on frozen tokens; raises as `frozen_tokens`."""
    from kakera.training.baselines.frozen import frozen_tokens

    seen, rows, unseen = frozen_tokens(saved, train, test, most, workers, device)
    assert train.labels is not None
    return _linear(seen, train.labels[rows], unseen, len(train.classes))


def _measured(name: str, answers: Answers, test: Dataset) -> Baseline:
    """Return the measures for predicted classes (m,) or scores (m, classes)."""
    labels = test.labels
    assert labels is not None
    if test.multi_label:
        return Baseline(name, None, None, evaluate(answers, labels, test.classes).mean_average_precision)
    hits = (answers if answers.ndim == 1 else answers.argmax(axis=1)) == labels
    text = "".join("1" if hit else "0" for hit in hits.tolist())
    return Baseline(name, float(hits.mean()), balanced(hits, labels).value, None, text)
