"""The verdict of a report: whether a classifier is better than the best baseline, with an interval."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.data.checks.warnings import uneven
from kakera.data.dataset import Dataset
from kakera.reports.html import Level
from kakera.training.baselines import confidence
from kakera.training.baselines.baselines import Baseline, Baselines
from kakera.training.baselines.confidence import Range
from kakera.training.predictions import Predictions

PARTS = {"test": "test", "val": "validation"}
VERDICT = "verdict.json"


@dataclass(frozen=True)
class Verdict:
    """A sentence and its numbers; `best` and `gap` are None without a baseline. See `judge`."""

    text: str
    level: Level
    measure: str
    value: Range
    best: Baseline | None = None
    gap: Range | None = None

    @property
    def baseline(self) -> float | None:
        """The measure of the best baseline, or None."""
        return None if self.best is None else score_of(self.best, self.measure)


def last_verdict(folder: Path) -> str:
    """Return the verdict of the run in `folder`; "" if it has none.

    Example:

        >>> _ = Path("verdict.json").write_text('{"text": "Better than the best baseline."}')
        >>> last_verdict(Path())
        'Better than the best baseline.'
    """
    try:
        return str(json.loads((folder / VERDICT).read_text())["text"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def judge(held_out: Dataset, part: str, predictions: Predictions, baselines: Baselines | None) -> Verdict:
    """Compare the predictions for a labelled part with the baselines on the same files.

    `part` is "test" or "val". Returns the verdict for the report.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> test = open_dataset("demo").part("test").take(range(10))
        >>> predictions = Predictions.of(np.eye(10)[test.labels], test.labels, np.arange(10))
        >>> print(judge(test, "test", predictions, None).text)
        Balanced accuracy 100.0 % (95 % interval 69.7 to 100.0 %) on 10 test files; no baseline was measured.
    """
    assert held_out.labels is not None
    labels = held_out.labels[predictions.numbers]
    measure = measure_of(labels)
    value = _value(predictions, labels, measure)
    reached = f"{measure} {_percent(value.value)}{_range(value)} on {len(labels)} {PARTS[part]} files"
    if baselines is None or not baselines.found:
        return Verdict(f"{_capital(reached)}; no baseline was measured.", "doubt", measure, value)
    best = max(baselines.found, key=lambda one: score_of(one, measure) or 0.0)
    score = score_of(best, measure) or 0.0
    gap = _gap(held_out, predictions, baselines, best, measure) or Range(
        value.value - score, value.low - score, value.high - score
    )
    name = f"the best baseline ({best.name}: {_percent(score)})"
    points = f"{abs(100 * gap.value):.1f} points"
    ends = " to ".join(f"{100 * end:+.1f}".replace("-", "−") for end in (gap.low, gap.high))
    sure = f" (95 % interval of the difference {ends})"
    if gap.low > 0:
        text = f"Better than {name} by {points}{sure}: {reached}."
        return Verdict(text, "good", measure, value, best, gap)
    if gap.value > 0:
        text = f"Not clearly better than {name}: {reached}, {points} more, which may be chance{sure}."
        return Verdict(text, "doubt", measure, value, best, gap)
    less = f"{points} less" if gap.value < 0 else "the same value"
    if gap.value < 0 < gap.high:
        less += ", which may be chance"
    return Verdict(f"Not better than {name}: {reached}, {less}{sure}.", "bad", measure, value, best, gap)


def measure_of(labels: NDArray[np.int64] | NDArray[np.bool_]) -> str:
    """Return the measure for a comparison with these labels.

    It is mean average precision for multi-label data, balanced accuracy for uneven classes, else accuracy.

    Example:

        >>> measure_of(np.array([0, 1])), measure_of(np.array([0, 0, 0, 1]))
        ('accuracy', 'balanced accuracy')
    """
    if labels.ndim == 2:
        return "mean average precision"
    return "balanced accuracy" if uneven(np.bincount(labels).tolist()) else "accuracy"


def score_of(baseline: Baseline, measure: str) -> float | None:
    """Return a measure of a baseline by its name.

    Example:

        >>> score_of(Baseline("majority class", 0.75, 0.5, None), "balanced accuracy")
        0.5
    """
    return getattr(baseline, measure.replace(" ", "_"))


def method_of(measure: str) -> str:
    """Return a sentence that explains how the interval of a measure was computed.

    Example:

        >>> print(method_of("mean average precision"))
        The interval is a percentile bootstrap over the files (500 draws, fixed seed).
    """
    if measure == "mean average precision":
        return "The interval is a percentile bootstrap over the files (500 draws, fixed seed)."
    kind = "Wilson's interval" if measure == "accuracy" else "Wilson's interval for the variance of that mean"
    return (
        f"The interval is {kind}. The interval of the difference is a paired percentile bootstrap over the "
        f"same files ({confidence.DRAWS} draws, fixed seed)."
    )


def _value(predictions: Predictions, labels: NDArray[np.generic], measure: str) -> Range:
    if labels.dtype == np.bool_:
        assert predictions.probabilities is not None
        result = confidence.average_precision(predictions.probabilities, labels.astype(np.bool_))
        return result or Range(0.0, 0.0, 1.0)
    truth = labels.astype(np.int64)
    hits = predictions.guesses == truth
    return confidence.accuracy(hits) if measure == "accuracy" else confidence.balanced(hits, truth)


def _gap(
    held_out: Dataset, predictions: Predictions, baselines: Baselines, best: Baseline, measure: str
) -> Range | None:
    """Return the paired difference on the files that both evaluated; None for multi-label data."""
    if not best.hits:
        return None
    assert held_out.labels is not None
    numbers, ours, theirs = np.intersect1d(
        predictions.numbers, np.array(baselines.rows, dtype=np.int64), return_indices=True
    )
    if not len(numbers):
        return None
    labels = held_out.labels[numbers]
    own = predictions.guesses[ours] == labels
    other = np.array([mark == "1" for mark in best.hits])[theirs]
    return confidence.difference(own, other, labels if measure == "balanced accuracy" else None)


def _range(value: Range) -> str:
    return f" (95 % interval {100 * value.low:.1f} to {100 * value.high:.1f} %)"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
