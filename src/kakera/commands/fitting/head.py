"""The head of a fit: chosen by left-out labels, with its temperature, and what it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.fitting.setup import FitSetup
from kakera.data.dataset import Dataset
from kakera.option_fields import AUTO
from kakera.training.heads.fits import Candidate, HeadKind
from kakera.training.heads.linear_head import LinearHead, probabilities, scale_of
from kakera.training.heads.selection import compare_heads
from kakera.training.metrics import evaluate_predictions
from kakera.training.metrics_report import Evaluation
from kakera.training.predictions import ROW, Predictions, judged
from kakera.training.probes.ridge import fit, left_out
from kakera.training.regression_metrics import evaluate_numbers

AUTOMATIC: tuple[HeadKind, ...] = ("ridge", "prototype", "logistic")


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head for raw tokens of `pool`, with its temperature in the weights. See `fit_head`."""

    kind: str
    pool: str
    head: LinearHead
    temperature: float
    tried: tuple[Mapping[str, Any], ...]
    """Each head that was tried, the best first: kind, pool, measures on the labels that it left out."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Mean and standard deviation of the numbers to predict; empty for classes."""
    pooling: Mapping[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]])
    """The weights of a learned attention pooling by their names in an encoder; empty for linear heads."""
    note: str = ""
    """Words about the training of an attentive head, and its comparison with ridge regression."""

    def values(
        self, tokens: NDArray[Any], *, multi_label: bool = False, cold: bool = False
    ) -> NDArray[np.float32]:
        """Return probabilities (n, classes), or numbers (n, targets), for tokens (n, d).

        `cold` leaves the temperature out.
        """
        logits = self.head.logits(tokens)
        if self.mean:
            return (logits * np.array(self.std) + np.array(self.mean)).astype(np.float32)
        logits = logits * self.temperature if cold else logits
        return probabilities(logits, multi_label=multi_label).astype(np.float32)

    def sentence(self) -> str:
        """Return a sentence about the choice of the head."""
        found = f"head: {self.kind} on {'patch' if self.pooling else self.pool} tokens"
        if self.pooling:
            return f"{found}, {self.note}"
        if self.mean:
            return f"{found}, chosen among {len(self.tried)} on left-out labels"
        best = self.tried[0]
        if best["log_loss"] is None:
            return f"{found}; no class has two labels, so no label could be left out to choose by"
        best_of = f" (best of {len(self.tried)})" if len(self.tried) > 1 else ""
        calibrated = f"(temperature {self.temperature:.3g})"
        if best["accuracy"] is None:
            return f"{found}{best_of}: probabilities calibrated on left-out labels {calibrated}"
        measured = f"accuracy {100 * best['accuracy']:.1f} % on left-out labels"
        return f"{found}{best_of}: {measured}, probabilities calibrated on them {calibrated}"


def fit_head(setup: FitSetup, tokens: Mapping[str, NDArray[np.float32]], labels: NDArray[Any]) -> FittedHead:
    """Fit all heads that the options allow to tokens (n, d) of each pooling; return the best one.

    `labels` are those of the same training files.
    """
    options = setup.options
    assert options.head != "attentive"
    kinds: Sequence[HeadKind] = AUTOMATIC if options.head == AUTO else (options.head,)
    allowed = {pool: tokens[pool] for pool in setup.pools}
    return best_head(setup.train, allowed, labels, kinds, options.seed)


def best_head(
    train: Dataset,
    tokens: Mapping[str, NDArray[np.float32]],
    labels: NDArray[Any],
    kinds: Sequence[HeadKind] = AUTOMATIC,
    seed: int = 0,
) -> FittedHead:
    """Fit heads of these `kinds` to tokens (n, d) of each pooling; return the best on left-out labels.

    `labels` are those of the n files; `train` has the classes. Numbers to predict have ridge regression.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> train = open_dataset("demo").part("train").take(range(100))
        >>> tokens = {"mean": np.eye(10, dtype=np.float32)[train.labels]}
        >>> best_head(train, tokens, train.labels).pool
        'mean'
    """
    if train.regression:
        return best_numbers(tokens, labels)
    found = compare_heads(tokens, labels, len(train.classes), kinds, seed=seed)
    best = found[0]
    head = best.head.with_temperature(best.temperature)
    return FittedHead(
        best.kind, best.pool, head, best.temperature, tuple(candidate_row(one, train) for one in found)
    )


def candidate_row(candidate: Candidate, train: Dataset) -> dict[str, Any]:
    """Return what `fit.json` and the report say about a head that was tried."""
    known = bool(len(candidate.rows))
    return {
        "head": candidate.kind,
        "pool": candidate.pool,
        "accuracy": candidate.score if known and not train.multi_label else None,
        "log_loss": candidate.log_loss if known else None,
        "temperature": candidate.temperature,
        "strength": candidate.strength,
        "left_out": len(candidate.rows),
    }


def best_numbers(tokens: Mapping[str, NDArray[np.float32]], labels: NDArray[Any]) -> FittedHead:
    """Return ridge regression on the tokens with the lowest error for numbers that a fit leaves out."""
    mean, std = labels.mean(axis=0), labels.std(axis=0)
    targets = (labels - mean) / std
    found = list[tuple[float, str, LinearHead, float]]()
    for pool, values in tokens.items():
        middle, width = scale_of(values)
        seen = (values - middle) / width
        ridge = fit(seen, targets)
        error = float(np.sqrt(np.square(left_out(seen, targets, ridge.penalty) - targets).mean()))
        found.append(
            (error, pool, LinearHead(ridge.weights, ridge.intercept).on_raw(middle, width), ridge.penalty)
        )
    found.sort(key=lambda one: one[0])
    rows = tuple(
        {"head": "ridge", "pool": pool, "error": error, "strength": penalty, "left_out": len(labels)}
        for error, pool, _, penalty in found
    )
    _, pool, best, _ = found[0]
    return FittedHead("ridge", pool, best, 1.0, rows, tuple(mean.tolist()), tuple(std.tolist()))


def predicted(
    head: FittedHead,
    test: Dataset,
    tokens: NDArray[np.float32],
    numbers: NDArray[np.int64],
    *,
    cold: bool = False,
) -> tuple[Predictions, Evaluation]:
    """Return the predictions for test files and their evaluation.

    `tokens` (m, d) are those of the files with the `numbers` (m,) in `test`. `cold` leaves the temperature
    out.
    """
    assert test.labels is not None
    labels = test.labels[numbers]
    values = head.values(tokens, multi_label=test.multi_label, cold=cold)
    if head.mean:
        found = Predictions(numbers, np.empty(0, ROW), values=values)
        return found, evaluate_numbers(values, labels, test.classes, head.mean)
    if test.multi_label:
        found = Predictions(numbers, np.empty(0, ROW), values)
    else:
        found = Predictions(numbers, judged(values, labels))
    return found, evaluate_predictions(found, labels, test.classes)
