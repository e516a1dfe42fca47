"""The reading of the data of a training: kind of files, labels. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind
from kakera.data.shards.open import is_shards
from kakera.data.sources.numbers import LearningTask
from kakera.errors import DataError, OptionError
from kakera.inputs import InputSpec
from kakera.training.options import DataOptions, FinetuneOptions, FitOptions, PretrainOptions


def chosen_kind(options: DataOptions, data: str, start: InputSpec | None) -> Kind:
    """Return the requested kind of files; for "any" in a folder or table, the kind of the model `start`.

    Example:

        >>> chosen_kind(PretrainOptions("pictures", kind="recordings"), "pictures", None)
        'recordings'
    """
    if options.kind != "any" or start is None or not Path(data).exists() or is_shards(data):
        return options.kind
    return "recordings" if start.sound else "pictures"


class LabelOptions(TypedDict):
    """Options for reading the labels of a data set. See `label_options`."""

    task: LearningTask
    target_column: str


def label_options(options: DataOptions, data: str | Path | Dataset) -> LabelOptions:
    """Return how to read the labels. Raises OptionError for a column of data that are opened already.

    Example:

        >>> label_options(FinetuneOptions("faces", task="regression"), "faces")["task"]
        'regression'
    """
    if not isinstance(options, FinetuneOptions | FitOptions):  # a pretraining has no labels, a probe classes
        task = "auto" if isinstance(options, PretrainOptions) else "classification"
        return {"task": task, "target_column": ""}
    if options.target_column and isinstance(data, Dataset):
        got, do = options.target_column, "pass it to open_data"
        raise OptionError("target_column", got=got, expected="nothing for opened data", do=do)
    return {"task": options.task, "target_column": options.target_column}


def require_same_kind(dataset: Dataset, start: InputSpec) -> None:
    """Raise DataError if the files are pictures and the initial model is for recordings, or the reverse.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> require_same_kind(open_dataset("demo"), InputSpec(1, 28, 28, (0.5,), (0.5,)))
    """
    got, expected = dataset.kind, "recordings" if start.sound else "pictures"
    if got != expected:
        raise DataError(
            dataset.name, got=got, expected=f"{expected}, as in --init-from", do="start from another run"
        )
