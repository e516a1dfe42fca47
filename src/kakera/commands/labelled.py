"""Which files of a data set carry a label: to train on, to measure on."""

from __future__ import annotations

from kakera.data.dataset import Dataset
from kakera.errors import DataError


def labelled_part(dataset: Dataset, part: str) -> Dataset:
    """The pictures of a part that carry a label."""
    chosen = dataset.part(part)
    return chosen.take(chosen.labelled)


def held_out(dataset: Dataset) -> tuple[str, Dataset]:
    """What to measure on, and its name: the labelled test pictures, else the val ones; may be empty."""
    test = labelled_part(dataset, "test")
    return ("test", test) if len(test) else ("val", labelled_part(dataset, "val"))


def require_classes(dataset: Dataset) -> None:
    """Raises DataError where there is nothing to tell apart."""
    known = labelled_part(dataset, "train")
    if len(dataset.classes) < 2 or not len(known):
        raise DataError(
            dataset.name,
            got=f"{len(dataset.classes)} classes and {len(known)} labelled pictures for training",
            expected="at least two classes",
            do="put the pictures into one folder a class, or give a table with labels",
        )
