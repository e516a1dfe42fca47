"""One self-contained page of predictions: thumbnails or players with labels and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from kakera.commands.label_counts import LabelCounts
from kakera.commands.pages.samples import media
from kakera.commands.prediction import Prediction
from kakera.data.dataset import Dataset
from kakera.errors import UnreadableFileError
from kakera.inputs import InputSpec
from kakera.reports.html import Card, gallery, heading, items, note, page, paragraph, table
from kakera.storage import write_atomically
from kakera.training.metrics_report import number_text

PICTURES, RECORDINGS = 500, 100  # most cards of a page: a few MB for pictures, about 10 MB for recordings
LISTED = 50  # most unreadable files in the list
TOP = 3  # number of classes on a card

Order = Literal["surest", "given"]


def write_prediction_page(
    path: str | Path,
    title: str,
    dataset: Dataset,
    inputs: InputSpec,
    predictions: Sequence[Prediction],
    *,
    order: Order = "surest",
) -> None:
    """Write a page of predictions, of labels or of numbers, into the file `path`.

    `predictions` has one prediction for each file of the data set, in the same order. `order` sorts the
    cards: "surest" by the probability of the label, or by the first number, highest first; "given" as in
    `predictions`. The page
    shows the first 500 pictures or 100 recordings in this order, and the total number. Raises StorageError.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> files = open_dataset("demo").take([0])
        >>> found = [Prediction("a.png", ("cat",), {"cat": 0.9, "dog": 0.1})]
        >>> write_prediction_page("page.html", "digits", files, InputSpec(1, 28, 28, (0.5,), (0.5,)), found)
        >>> "Most confident first" in Path("page.html").read_text()
        True
    """
    known = [number for number, found in enumerate(predictions) if not found.unreadable]
    if order == "surest":
        known.sort(key=lambda number: -_sureness(predictions[number]))
    most = PICTURES if dataset.sounds is None else RECORDINGS
    numbers = any(found.values is not None for found in predictions)
    cards = [_card(dataset, inputs, predictions[number], number) for number in known[:most]]
    parts = [
        paragraph(_counts(dataset.kind, len(predictions), len(known))),
        *_summary([predictions[number] for number in known]),
        heading(_title(order, numbers=numbers)),
        paragraph(_shown(len(cards), len(known), order, numbers=numbers)),
        gallery(cards, sounds=dataset.sounds is not None),
        *_unreadable(predictions),
    ]
    write_atomically(Path(path), page(f"Predictions of {title}", *parts).encode())


def _summary(known: Sequence[Prediction]) -> list[str]:
    """Return the number of files of each label, or the range of each predicted number."""
    if not known:
        return []
    if known[0].values is None:
        return [heading("Labels"), table(LabelCounts.of(known).rows())]
    rows: list[tuple[str, ...]] = [("target", "lowest", "mean", "highest")]
    for name in known[0].values:
        values = [found.values[name] for found in known if found.values is not None]
        rows.append((name, *map(number_text, (min(values), sum(values) / len(values), max(values)))))
    return [heading("Numbers"), table(rows)]


def _title(order: Order, *, numbers: bool) -> str:
    if order == "given":
        return "In the order of the files"
    return "Highest number first" if numbers else "Most confident first"


def _sureness(prediction: Prediction) -> float:
    if prediction.values is not None:
        return next(iter(prediction.values.values()))
    return max(prediction.probabilities.values(), default=0.0)


def _card(dataset: Dataset, inputs: InputSpec, prediction: Prediction, number: int) -> Card:
    try:
        tags = media(dataset, number, inputs)
    except UnreadableFileError as error:  # the file has changed since the prediction
        tags = note(error.reason)
    if prediction.values is not None:
        several = len(prediction.values) > 1
        named = (
            f"{name} {number_text(value)}" if several else number_text(value)
            for name, value in prediction.values.items()
        )
        return Card(tags, ", ".join(named), prediction.file)
    likely = list(prediction.probabilities.items())[:TOP]
    shares = ", ".join(f"{name} {100 * value:.1f} %" for name, value in likely)
    return Card(tags, " | ".join(prediction.labels) or "no label", f"{shares} · {prediction.file}")


def _counts(kind: str, count: int, known: int) -> str:
    rest = f" Unreadable files: {count - known:,}; the list is below." if known < count else ""
    return f"{kind.capitalize()} with a prediction: {known:,}.{rest}"


def _shown(shown: int, known: int, order: Order, *, numbers: bool) -> str:
    if shown == known:
        return f"This page shows all {known:,}."
    which = "first" if order == "given" else "highest" if numbers else "most confident"
    return f"This page shows the {which} {shown:,} of {known:,}; kakera predict --csv lists all."


def _unreadable(predictions: Sequence[Prediction]) -> list[str]:
    broken = [f"{found.file}: {found.unreadable}" for found in predictions if found.unreadable]
    if not broken:
        return []
    more = [note(f"and {len(broken) - LISTED:,} more")] if len(broken) > LISTED else []
    return [heading("Unreadable files"), items(broken[:LISTED]), *more]
