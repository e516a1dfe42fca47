"""Evaluation of predicted numbers: mean absolute error, root mean squared error, R²."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.training.metrics_report import Evaluation, TargetResult


def evaluate_numbers(
    values: NDArray[np.floating[Any]],
    targets: NDArray[np.floating[Any]],
    names: tuple[str, ...],
    means: tuple[float, ...],
) -> Evaluation:
    """Compare predicted numbers (n, t) with the true ones (n, t), NaN for unlabelled files.

    `names` are the targets, and `means` their means over the training files. R² compares with predicting
    these means. Raises DataError if no file has a label or a prediction is not finite.

    Example:

        >>> found = evaluate_numbers(np.array([[1.0], [4.0]]), np.array([[2.0], [4.0]]), ("age",), (3.0,))
        >>> found.per_target[0].mean_absolute_error, found.score
        (0.5, 0.5)
    """
    known = np.isfinite(targets).all(axis=1)
    if not known.any() or not np.isfinite(values[known]).all():
        got = (
            "predictions that are not finite" if known.any() else f"{len(targets)} samples, none with a label"
        )
        expected = "finite numbers, for at least one labelled sample"
        raise DataError("evaluation", got=got, expected=expected, do="check the labels of the test set")
    errors = values[known].astype(np.float64) - targets[known]
    absolute, squared = np.abs(errors).mean(axis=0), np.square(errors).mean(axis=0)
    spread = np.square(targets[known] - np.array(means)).mean(axis=0)
    rows = zip(names, absolute.tolist(), squared.tolist(), spread.tolist(), strict=True)
    return Evaluation(
        count=int(known.sum()),
        unlabelled=int((~known).sum()),
        per_class=(),
        per_target=tuple(
            TargetResult(name, int(known.sum()), mean, square**0.5, 1 - square / width if width > 0 else None)
            for name, mean, square, width in rows
        ),
    )
