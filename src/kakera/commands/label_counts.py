"""The number of files per predicted label, counted one prediction at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from kakera.commands.prediction import Prediction
from kakera.formats.rejection import NONE


class LabelCounts:
    """The number of files with each label, and the sum of its probabilities over these files.

    Example:

        >>> counts = LabelCounts.of([Prediction("a.png", ("left",), {"left": 0.75, "right": 0.25})])
        >>> counts.rows()
        [('label', 'files', 'mean probability'), ('left', '1', '75.0 %')]
    """

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.sums: defaultdict[str, float] = defaultdict(float)

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> LabelCounts:
        """Count the labels of all predictions."""
        counts = cls()
        for prediction in predictions:
            counts.add(prediction)
        return counts

    def add(self, prediction: Prediction) -> None:
        """Count the labels of one more prediction."""
        for label in prediction.labels:
            self.files[label] += 1
            self.sums[label] += prediction.probabilities.get(label, 0.0)

    def rows(self) -> list[tuple[str, ...]]:
        """Return a table of label, number of files and mean probability, the most frequent label first.

        The first row is the header.
        """
        return [
            ("label", "files", "mean probability"),
            *(
                (label, f"{count:,}", "–" if label == NONE else f"{100 * self.sums[label] / count:.1f} %")
                for label, count in self.files.most_common()
            ),
        ]
