"""`kakera predict`: what pictures show, with probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kakera.data.sources import open_pictures
from kakera.formats.load import load
from kakera.formats.native import Saved
from kakera.training.infer import scores

THRESHOLD = 0.5  # from here on a class counts as present, where a picture may show several


@dataclass(frozen=True)
class Prediction:
    """One file: the label or labels, and every class with its probability, likeliest first; or why not."""

    file: str
    labels: tuple[str, ...]
    probabilities: dict[str, float]
    unreadable: str = ""


def predict(model: str | Path | Saved, files: Sequence[str | Path], *, workers: int = 0) -> list[Prediction]:
    """Predictions for files, for all pictures in folders, or for samples of a built-in data set.

    A file that cannot be read gets a prediction without labels that says why. Raises RunError for the
    model, DataError where a folder holds no picture.
    """
    saved = model if isinstance(model, Saved) else load(model)
    dataset = open_pictures(files, saved.inputs.channels)
    names = [dataset.pictures.name(number) for number in range(len(dataset))]
    probabilities, numbers, broken = scores(saved, dataset, workers=workers)
    reasons = {error.path: error.reason for error in broken}
    known = dict(zip(numbers.tolist(), probabilities.tolist(), strict=True))
    return [
        _prediction(saved, name, known[number])
        if number in known
        else Prediction(name, (), {}, reasons[name])
        for number, name in enumerate(names)
    ]


def _prediction(saved: Saved, file: str, values: list[float]) -> Prediction:
    order = sorted(range(len(values)), key=lambda i: -values[i])
    probabilities = {saved.classes[i]: values[i] for i in order}
    if saved.several:
        return Prediction(file, tuple(n for n, p in probabilities.items() if p >= THRESHOLD), probabilities)
    return Prediction(file, (saved.classes[order[0]],), probabilities)
