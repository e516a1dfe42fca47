"""The verdict of a report on predicted numbers: whether they are better than the best baseline."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.formats.target_scale import TargetScale
from kakera.training.baselines.confidence import Range, Z
from kakera.training.baselines.number_baselines import NumberBaseline, NumberBaselines, absolute_errors
from kakera.training.baselines.verdict import PARTS, Verdict
from kakera.training.metrics_report import number_text
from kakera.training.predictions import Predictions

MEASURE = "mean absolute error"
METHOD = (
    "The interval is the mean ± 1.96 standard errors over the files; that of the difference is computed from "
    "the differences on the same files."
)


def mean_interval(values: NDArray[np.float64]) -> Range:
    """Return the mean of values (n,) with its 95 % interval, ± 1.96 standard errors; n at least 1.

    Example:

        >>> mean_interval(np.array([1.0, 3.0, 2.0, 2.0])).value
        2.0
    """
    mean = float(values.mean())
    half = Z * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return Range(mean, mean - half, mean + half)


def judge_numbers(
    held_out: Dataset,
    part: str,
    predictions: Predictions,
    baselines: NumberBaselines | None,
    scale: TargetScale,
) -> Verdict:
    """Compare predicted numbers for a labelled part with the baselines on the same files.

    `part` is "test" or "val", and `scale` that of the training files. The gap of the verdict is the error of
    the best baseline minus that of the network.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures, ages = ArrayPictures(np.zeros((3, 8, 8, 1), np.uint8)), np.array([30.0, 40.0, 50.0])
        >>> test = Dataset("ages", pictures, 1, np.full(3, "test"), labels=ages)
        >>> found = Predictions(np.arange(3), np.empty(0), values=test.labels + np.array([[1], [2], [3]]))
        >>> print(judge_numbers(test, "test", found, None, TargetScale((40.0,), (8.0,))).text)
        Mean absolute error 2 (95 % interval 0.8684 to 3.132) on 3 test files; no baseline was measured.
    """
    assert held_out.labels is not None
    assert predictions.values is not None
    numbers = predictions.numbers
    errors = absolute_errors(predictions.values.astype(np.float64), held_out.labels[numbers], scale)
    value = mean_interval(errors)
    unit = "" if len(scale.mean) == 1 else " standard deviations"
    reached = (
        f"{MEASURE} {number_text(value.value)}{unit}{_range(value)} on {len(errors)} {PARTS[part]} files"
    )
    if baselines is None or not baselines.found:
        return Verdict(
            f"{reached[0].upper()}{reached[1:]}; no baseline was measured.", "doubt", MEASURE, value
        )
    best = min(baselines.found, key=_mean_error)
    _, ours, theirs = np.intersect1d(numbers, np.array(baselines.rows, dtype=np.int64), return_indices=True)
    gap = mean_interval(np.array(best.errors)[theirs] - errors[ours])
    name = f"the best baseline ({best.name}: {number_text(_mean_error(best))})"
    ends = " to ".join(_signed(-end) for end in (gap.high, gap.low))  # of the errors, as "more" and "less"
    sure = f" (95 % interval of the difference {ends})"
    by = number_text(abs(gap.value))
    if gap.low > 0:
        text = f"Better than {name} by {by}{sure}: {reached}."
        return Verdict(text, "good", MEASURE, value, None, gap)
    if gap.value > 0:
        text = f"Not clearly better than {name}: {reached}, {by} less, which may be chance{sure}."
        return Verdict(text, "doubt", MEASURE, value, None, gap)
    more = f"{by} more" if gap.value < 0 else "the same error"
    more += ", which may be chance" if gap.value < 0 < gap.high else ""
    return Verdict(f"Not better than {name}: {reached}, {more}{sure}.", "bad", MEASURE, value, None, gap)


def _mean_error(baseline: NumberBaseline) -> float:
    return float(np.mean(baseline.errors))


def _signed(value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "") + number_text(abs(value))


def _range(value: Range) -> str:
    if math.isinf(value.high):
        return ""
    return f" (95 % interval {number_text(max(value.low, 0.0))} to {number_text(value.high)})"
