"""The labelled files of a data set, for training and for evaluation."""

from __future__ import annotations

from kakera.data.dataset import Dataset
from kakera.errors import DataError


def labelled_part(dataset: Dataset, part: str) -> Dataset:
    """Return the labelled files of a part ("train", "val" or "test").

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> len(labelled_part(open_dataset("demo"), "train"))
        8000
    """
    chosen = dataset.part(part)
    return chosen.take(chosen.labelled)


def held_out(dataset: Dataset) -> tuple[str, Dataset]:
    """Return the name and the labelled files of the part to evaluate on: test, or else val.

    The files may be empty.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> name, files = held_out(open_dataset("demo"))
        >>> name, len(files)
        ('test', 1500)
    """
    test = labelled_part(dataset, "test")
    return ("test", test) if len(test) else ("val", labelled_part(dataset, "val"))


def require_classes(dataset: Dataset, numbers: str = "") -> None:
    """Raise DataError if there are fewer than two classes, or no labelled training files.

    Numbers to predict are no classes. `numbers` is advice about them for the message.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> require_classes(open_dataset("demo"))
    """
    known = labelled_part(dataset, "train")
    if dataset.regression:
        got, do = "numbers to predict", "use kakera finetune, which also learns numbers"
        raise DataError(dataset.name, got=got, expected="classes", do=do)
    if len(dataset.classes) < 2 or not len(known):
        count, kind = len(dataset.classes), dataset.kind
        many = f"{count} class" if count == 1 else f"{count} classes"
        raise DataError(
            dataset.name,
            got=f"{many} and {len(known)} labelled {kind} for training",
            expected="at least two classes",
            do=f"put the {kind} into one folder per class, or use a table with labels{numbers}",
        )


def require_labels(dataset: Dataset) -> None:
    """Raise DataError without at least two classes or numbers to predict, or without labelled training files.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> require_labels(open_dataset("demo"))
    """
    if not dataset.regression:
        require_classes(dataset, "; for numbers name their column with --target-column")
    elif not len(labelled_part(dataset, "train")):
        got, do = "no training file with a number", "check the labels"
        raise DataError(dataset.name, got=got, expected="at least one", do=do)
