"""Numbers to predict (regression), from labels that were read as classes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from kakera.data.dataset import Dataset
from kakera.errors import DataError

LearningTask: TypeAlias = Literal["auto", "classification", "regression"]
"""The kind of labels: classes, numbers to predict, or "auto", which decides by their type."""
NAME = "target"  # of a target without a column


def with_task(dataset: Dataset, task: LearningTask, column: str = "") -> Dataset:
    """Return the data set for a task: with the numbers of the labels for "regression".

    `column` is the column of the table with the labels; with "auto", naming one means regression. Labels
    that are floating-point numbers already stay as they are. Raises DataError if a label is no number, or if
    it must be a class.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.zeros((3, 8, 8, 1), np.uint8))
        >>> data = Dataset("ages", pictures, 1, np.full(3, "train"), ("4.5", "61"), np.array([1, 0, -1]))
        >>> with_task(data, "regression").labels.ravel().tolist()
        [61.0, 4.5, nan]
    """
    if task == "classification" and dataset.regression:
        got, do = "labels that are floating-point numbers", "predict them: kakera finetune --task regression"
        raise DataError(dataset.name, got=got, expected="classes", do=do)
    if task == "classification" or dataset.regression or (task == "auto" and not column):
        return dataset
    if dataset.labels is None or dataset.multi_label:
        got = "files with several labels" if dataset.multi_label else "no labels"
        do = "name a column of numbers with --target-column, or leave out --task"
        raise DataError(dataset.name, got=got, expected="a number for each file", do=do)
    values = np.array([*(_number(word, dataset.name) for word in dataset.classes), np.nan])
    targets = values[dataset.labels]  # −1 is the last one, NaN
    return replace(dataset, labels=targets, classes=(column or NAME,), emptied=())


def _number(word: str, name: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        do = "correct the labels (a missing number is an empty cell), or leave out --task and --target-column"
        raise DataError(name, got=f"the label {word}", expected="a number", do=do)
    return value
