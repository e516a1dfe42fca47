"""The frozen tokens before and after a pretraining that started from an encoder: did it help?

Ridge regression on the class token and the mean token, fitted to the labels of the training part, classifies
held-out files. The difference in accuracy is paired, file by file, with a bootstrap interval.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.commands.labelled import held_out, labelled_part
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.reports.html import Level
from kakera.training.baselines import confidence
from kakera.training.device import moved_to_device
from kakera.training.probes.ridge import ridge

COMPARISON = "comparison.json"
MOST = 5000  # files of each part, evenly spaced, to limit the time
LEAST = 20  # held-out files for a comparison
Parts: TypeAlias = tuple[Dataset, Dataset]


@dataclass(frozen=True)
class TokenComparison:
    """Accuracies (0 to 1) on the frozen tokens of both encoders, and the 95 % interval of their difference.

    Example:

        >>> found = TokenComparison(before=0.7, after=0.8, low=0.05, high=0.15, labels=100, files=400)
        >>> found.verdict, found.text.split(":")[0]
        ('good', 'It helped')
    """

    before: float
    after: float
    low: float
    high: float
    labels: int
    files: int

    @property
    def verdict(self) -> Level:
        """good: better; bad: worse; doubt: the interval contains 0."""
        return "good" if self.low > 0 else "bad" if self.high < 0 else "doubt"

    @property
    def text(self) -> str:
        """The result in one sentence."""
        opening = {"good": "It helped", "bad": "It did harm", "doubt": "It made no clear difference"}
        gap, low, high = (
            f"{100 * each:+.1f}".replace("-", "−") for each in (self.after - self.before, self.low, self.high)
        )
        return (
            f"{opening[self.verdict]}: on {self.files} held-out files, ridge regression with {self.labels} "
            f"labels on the frozen tokens has an accuracy of {100 * self.after:.1f} % instead of "
            f"{100 * self.before:.1f} % before (difference {gap} points, 95 % interval {low} to {high})."
        )


def compare_tokens(
    before: Pretrained, after: Pretrained, dataset: Dataset, *, workers: int = 0, device: str = "auto"
) -> TokenComparison | str:
    """Compare the frozen tokens of two encoders on the labels of a data set.

    Held-out files are the test part, else the val part, else half of the labelled files. Returns a sentence
    instead if the labels do not allow a comparison.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> encoders = (ViT("nano", channels=1, image_size=28, seed=seed) for seed in (0, 1))
        >>> first, second = (Pretrained(each, InputSpec(1, 28, 28, (0.5,), (0.5,))) for each in encoders)
        >>> found = compare_tokens(first, second, open_dataset("demo").take(range(0, 9500, 40)), device="cpu")
        >>> found.labels, found.files
        (200, 38)
    """
    parts = _parts(dataset)
    if isinstance(parts, str):
        return parts
    hits = [_hits(saved, parts, workers, device) for saved in (before, after)]
    numbers = np.intersect1d(hits[0][0], hits[1][0])
    first, second = (right[np.isin(rows, numbers)] for rows, right in hits)
    gap = confidence.difference(second, first)
    return TokenComparison(
        float(first.mean()), float(second.mean()), gap.low, gap.high, len(parts[0]), len(numbers)
    )


def read_comparison(folder: Path) -> TokenComparison | None:
    """Return the stored comparison of a run; None if there is none.

    Example:

        >>> read_comparison(Path("no-such-run")) is None
        True
    """
    try:
        return TokenComparison(**json.loads((folder / COMPARISON).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def to_bytes(found: TokenComparison) -> bytes:
    """Return the file `comparison.json`.

    Example:

        >>> found = TokenComparison(0.5, 0.5, -0.1, 0.1, 10, 20)
        >>> json.loads(to_bytes(found))["files"]
        20
    """
    return json.dumps(asdict(found), indent=2).encode() + b"\n"


def _parts(dataset: Dataset) -> Parts | str:
    """Return the labelled files to fit and to measure on, or why there are none."""
    if dataset.regression:
        return "The tokens before and after are not compared, because the labels are numbers."
    if dataset.multi_label:
        return "The tokens before and after are not compared, because the files have several labels."
    train, (_, measured) = labelled_part(dataset, "train"), held_out(dataset)
    if len(measured) < LEAST:
        order = seeding.permutation(0, 0, len(train), "halves")
        half = len(train) // 2
        train, measured = train.take(np.sort(order[half:])), train.take(np.sort(order[:half]))
    train, measured = (_thinned(part) for part in (train, measured))
    if len(measured) < LEAST or train.labels is None or len(np.unique(train.labels)) < 2:
        return "The tokens before and after are not compared, because there are too few labels."
    return train, measured


def _thinned(part: Dataset) -> Dataset:
    if len(part) <= MOST:
        return part
    return part.take(np.linspace(0, len(part) - 1, MOST).astype(np.int64))


def _hits(
    saved: Pretrained, parts: Parts, workers: int, device: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the numbers of the readable held-out files, and True for the correct predictions."""
    train, measured = parts
    assert train.labels is not None
    assert measured.labels is not None
    with moved_to_device(saved, device):
        seen, kept = features(saved, train, [-1], ["class and mean"], workers=workers)
        other, rows = features(saved, measured, [-1], ["class and mean"], workers=workers)
    scores = ridge(
        seen[-1, "class and mean"],
        train.labels[kept],
        other[-1, "class and mean"],
        classes=len(train.classes),
        seed=0,
    )
    return rows, scores.argmax(axis=1) == measured.labels[rows]
