"""Results of an evaluation, as numbers, as one line of text and as a table.

A measure that cannot be computed is None, such as the recall of a class without test samples, or the log
loss of scores that are not probabilities.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ClassResult:
    """The measures of one class with `count` true samples: fractions in 0 … 1, None if undefined.

    `recall` and `f1` are None for a class without a true sample. `precision` is None for a class that was
    never predicted. `average_precision` is None for a class without a true sample and for single labels.

    Example:

        >>> ClassResult("cat", 4, precision=1.0, recall=0.5, f1=2 / 3).recall
        0.5
    """

    name: str
    count: int
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None = None


@dataclass(frozen=True)
class TargetResult:
    """The errors of one predicted number on `count` files, in its units.

    `r2` is 1 − (mean squared error) / (mean squared error of predicting the mean of the training files): 1
    is perfect, 0 is no better than that mean. It is None if the test files all have that mean.

    Example:

        >>> TargetResult("age", 4, mean_absolute_error=2.0, root_mean_squared_error=2.5, r2=0.75).r2
        0.75
    """

    name: str
    count: int
    mean_absolute_error: float
    root_mean_squared_error: float
    r2: float | None


@dataclass(frozen=True)
class Evaluation:
    """The measures of one test set. Means over classes include only classes with a true sample.

    Single labels: `accuracy`, `balanced_accuracy`, `top5` (None up to five classes), `macro_f1`, `log_loss`
    in nats and `calibration_error` (both None unless the scores are probabilities), `confusion`, whose rows
    are the true classes (None above 100 classes), and `confused`: true class, predicted class and number of
    files of the 100 most frequent errors, most frequent first. Multi-label: `mean_average_precision`,
    `micro_f1` and `macro_f1` at the `thresholds` of the classes, None for 0.5. Regression: `per_target`, the
    errors of each predicted number. Ordered classes: `rank_error`, the mean distance in ranks, and
    `quadratic_kappa`, see `with_rank_measures`. Measures of the other kinds are None. All measures and
    `count` leave the `unlabelled` samples out. See `evaluate`.
    """

    count: int
    unlabelled: int
    per_class: tuple[ClassResult, ...]
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    top5: float | None = None
    log_loss: float | None = None
    calibration_error: float | None = None
    mean_average_precision: float | None = None
    micro_f1: float | None = None
    macro_f1: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    confused: tuple[tuple[str, str, int], ...] | None = None
    thresholds: tuple[float, ...] | None = None
    per_target: tuple[TargetResult, ...] | None = None
    rank_error: float | None = None
    quadratic_kappa: float | None = None

    @property
    def regression(self) -> bool:
        """True if numbers were predicted instead of classes."""
        return self.per_target is not None

    @property
    def multi_label(self) -> bool:
        """True if a sample may have several labels."""
        return self.accuracy is None and not self.regression

    @property
    def classes_without_samples(self) -> tuple[str, ...]:
        """The classes without a true sample, which no mean over classes includes."""
        return tuple(row.name for row in self.per_class if not row.count)

    @property
    def score(self) -> float | None:
        """The main measure for comparing models: accuracy, or mean average precision for multi-label data.

        For regression it is R², the mean over the targets.
        """
        if self.per_target is not None:
            known = [row.r2 for row in self.per_target if row.r2 is not None]
            return sum(known) / len(known) if known else None
        return self.mean_average_precision if self.multi_label else self.accuracy

    def to_json(self) -> dict[str, Any]:
        """Return the measures as JSON values, without measures that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Evaluation:
        """Return the evaluation of `to_json`. Raises KeyError or TypeError for other values."""
        values = {**values, "per_class": tuple(ClassResult(**row) for row in values["per_class"])}
        if "per_target" in values:
            values["per_target"] = tuple(TargetResult(**row) for row in values["per_target"])
        for name in ("confusion", "confused"):
            if name in values:
                values[name] = tuple(map(tuple, values[name]))
        if "thresholds" in values:
            values["thresholds"] = tuple(values["thresholds"])
        return cls(**values)

    def summary(self) -> str:
        """Return one line of text: the measures in per cent, the sample count, and what was left out."""
        if self.per_target is not None:
            parts = [_errors(row, named=len(self.per_target) > 1) for row in self.per_target]
        elif self.multi_label:
            parts = [f"mean average precision {_percent(self.mean_average_precision)}"]
            parts += [f"F1 {_percent(self.micro_f1)} micro, {_percent(self.macro_f1)} macro"]
        else:
            parts = [f"accuracy {_percent(self.accuracy)}"]
            parts += [f"balanced {_percent(self.balanced_accuracy)}"]
            parts += [f"top-5 {_percent(self.top5)}"] if self.top5 is not None else []
            parts += [f"log loss {self.log_loss:.3f}"] if self.log_loss is not None else []
            parts += [f"rank error {self.rank_error:.3f}"] if self.rank_error is not None else []
            parts += [f"kappa {self.quadratic_kappa:.3f}"] if self.quadratic_kappa is not None else []
        notes = [f"{self.count} sample{'' if self.count == 1 else 's'}"]
        notes += [f"{self.unlabelled} without a label left out"] if self.unlabelled else []
        notes += ["each class at its own threshold"] if self.thresholds else []
        if self.classes_without_samples:
            count = len(self.classes_without_samples)
            notes.append(f"{count} of {len(self.per_class)} classes without a sample left out")
        return f"{', '.join(parts)} ({'; '.join(notes)})"

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text: a header, then one row per class or target; "–" for undefined measures."""
        if self.per_target is not None:
            return [
                ("target", "samples", "mean absolute error", "root mean squared error", "R²"),
                *(
                    (
                        row.name,
                        str(row.count),
                        *map(number_text, (row.mean_absolute_error, row.root_mean_squared_error)),
                        _r2(row),
                    )
                    for row in self.per_target
                ),
            ]
        header = ("class", "samples", "precision", "recall", "F1")
        rows = [
            (row.name, str(row.count), _percent(row.precision), _percent(row.recall), _percent(row.f1))
            for row in self.per_class
        ]
        if not self.multi_label:
            return [header, *rows]
        last = [(_percent(row.average_precision),) for row in self.per_class]
        header = (*header, "average precision")
        if self.thresholds:
            header = (*header, "threshold")
            last = [(*row, f"{each:.3f}") for row, each in zip(last, self.thresholds, strict=True)]
        return [header, *((*row, *end) for row, end in zip(rows, last, strict=True))]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def number_text(value: float) -> str:
    """Return a number with four digits, or all digits before the point.

    Example:

        >>> number_text(0.0123456), number_text(12.3456), number_text(123456.7)
        ('0.01235', '12.35', '123457')
    """
    return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _r2(row: TargetResult) -> str:
    return "–" if row.r2 is None else f"{row.r2:.3f}"


def _errors(row: TargetResult, *, named: bool) -> str:
    absolute, squared = number_text(row.mean_absolute_error), number_text(row.root_mean_squared_error)
    text = f"mean absolute error {absolute}, root mean squared error {squared}, R² {_r2(row)}"
    return f"{row.name}: {text}" if named else text
