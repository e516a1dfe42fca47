"""Baselines for numbers to predict: their mean, and ridge regression on simple features and frozen tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.errors import KakeraError
from kakera.formats.bundle import Pretrained
from kakera.formats.target_scale import TargetScale
from kakera.training.baselines.baselines import FROZEN, NAMES
from kakera.training.baselines.frozen import frozen_tokens, some
from kakera.training.baselines.simple_features import picture_features, sound_features
from kakera.training.metrics_report import TargetResult
from kakera.training.planning.baseline_costs import MOST
from kakera.training.probes.features import Features, standardise
from kakera.training.probes.ridge import GRID, fit
from kakera.training.regression_metrics import evaluate_numbers

MEAN = "mean of the training files"

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class NumberBaseline:
    """The errors of one baseline on the test files; `errors` has the absolute error of each file.

    For several targets, it is the mean over the targets, in standard deviations. See
    `measure_number_baselines`.
    """

    name: str
    per_target: tuple[TargetResult, ...]
    errors: tuple[float, ...]


@dataclass(frozen=True)
class NumberBaselines:
    """The errors of several baselines, the numbers of files, and notes. See `measure_number_baselines`."""

    train: int
    train_of: int
    test_of: int
    rows: tuple[int, ...]
    """Numbers of the test files, in the order of `errors`."""
    found: tuple[NumberBaseline, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> NumberBaselines:
        """Make baselines from the result of `to_json`. Raises TypeError or KeyError for other values."""
        tuples: dict[str, Any] = {name: tuple(values[name]) for name in ("rows", "notes")}
        tuples["found"] = tuple(
            NumberBaseline(
                one["name"], tuple(TargetResult(**row) for row in one["per_target"]), tuple(one["errors"])
            )
            for one in values["found"]
        )
        return cls(**{**values, **tuples})


def absolute_errors(values: Numbers, targets: Numbers, scale: TargetScale) -> Numbers:
    """Return the absolute error (m,) of predicted numbers (m, t) for targets (m, t).

    For one target it is in the unit of the target; for several it is the mean in standard deviations.

    Example:

        >>> absolute_errors(np.array([[2.0]]), np.array([[5.0]]), TargetScale((0.0,), (10.0,))).tolist()
        [3.0]
    """
    errors = np.abs(values - targets)
    return errors[:, 0] if errors.shape[1] == 1 else (errors / np.array(scale.std)).mean(axis=1)


def measure_number_baselines(
    train: Dataset,
    test: Dataset,
    scale: TargetScale,
    *,
    start: Callable[[], Pretrained] | None = None,
    frozen: int = MOST,
    workers: int = 0,
    device: str = "auto",
) -> NumberBaselines:
    """Fit each baseline to labelled training files and evaluate it on labelled test files.

    `scale` is that of the training files. The other arguments are as in `measure_baselines`.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> demo = open_dataset("demo").part("train").take(range(30))
        >>> data = Dataset("numbers", demo.pictures, 1, demo.split, labels=demo.labels.astype(float))
        >>> scale = TargetScale.of(data.labels, data.classes)
        >>> result = measure_number_baselines(data.take(range(20)), data.take(range(20, 30)), scale)
        >>> [one.name for one in result.found]
        ['mean of the training files', '16 x 16 pixels, ridge', 'colours and edges, ridge']
    """
    began, train_of, test_of = time.monotonic(), len(train), len(test)
    train, test_rows = train.take(some(len(train))), some(len(test))
    test = test.take(test_rows)
    look = picture_features if train.sounds is None else sound_features
    (seen, kept), (unseen, test_kept) = look(train), look(test)
    train, test, test_rows = train.take(kept), test.take(test_kept), test_rows[test_kept]
    assert train.labels is not None
    assert test.labels is not None
    truth, notes = test.labels, list[str]()

    def measured(name: str, values: Numbers) -> NumberBaseline:
        found = evaluate_numbers(values, truth, test.classes, scale.mean).per_target or ()
        return NumberBaseline(name, found, tuple(absolute_errors(values, truth, scale).round(6).tolist()))

    found = [measured(MEAN, np.tile(np.array(scale.mean), (len(test), 1)))]
    for kind, values in seen.items():
        found.append(measured(NAMES[kind], ridge_numbers(values, train.labels, unseen[kind], scale)))
    if start is not None:
        try:
            tokens, rows, others = frozen_tokens(start(), train, test, frozen, workers, device)
            found.append(measured(FROZEN, ridge_numbers(tokens, train.labels[rows], others, scale)))
        except (KakeraError, ValueError) as error:
            notes.append(f"{FROZEN}: left out, {error}")
    rows, seconds = tuple(test_rows.tolist()), round(time.monotonic() - began, 1)
    return NumberBaselines(len(train), train_of, test_of, rows, tuple(found), tuple(notes), seconds)


def ridge_numbers(train: Features, targets: Numbers, test: Features, scale: TargetScale) -> Numbers:
    """Return the numbers (m, t) that ridge regression predicts for `test` (m, d), in their units.

    It is fitted to features `train` (n, d) and `targets` (n, t), both standardised.

    Example:

        >>> train, targets = np.array([[0.0], [1.0], [2.0]]), np.array([[10.0], [30.0], [50.0]])
        >>> ridge_numbers(train, targets, np.array([[3.0]]), TargetScale((30.0,), (20.0,))).round().tolist()
        [[70.0]]
    """
    seen, unseen = standardise(train, test)
    result = fit(seen, scale.standardise(targets), GRID[::4])
    return scale.in_units(unseen @ result.weights + result.intercept)
