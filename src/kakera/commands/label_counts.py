"""How many files have each label, counted one prediction at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from kakera.commands.predict import Prediction


class LabelCounts:
    """Files with each label, and the sum of its probabilities."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.sums: defaultdict[str, float] = defaultdict(float)

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> LabelCounts:
        """Of all of them."""
        counts = cls()
        for prediction in predictions:
            counts.add(prediction)
        return counts

    def add(self, prediction: Prediction) -> None:
        """Count one more."""
        for label in prediction.labels:
            self.files[label] += 1
            self.sums[label] += prediction.probabilities[label]

    def rows(self) -> list[tuple[str, ...]]:
        """A table, header first: label, files, most first, and mean probability."""
        return [
            ("label", "files", "mean probability"),
            *(
                (label, f"{count:,}", f"{100 * self.sums[label] / count:.1f} %")
                for label, count in self.files.most_common()
            ),
        ]
