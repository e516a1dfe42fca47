"""Facts about a data set from file headers: number of samples, picture size, recording length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from kakera.data.dataset import Dataset
from kakera.errors import UnreadableFileError
from kakera.training.planning.rules import LARGE, DataFacts

SAMPLE = 64  # number of headers to read


def facts_of(dataset: Dataset, count: int = 0) -> DataFacts:
    """Return facts about the training part.

    `count` is the number of training files if only some are used, as with few labels; 0 means all. Reads the
    headers of up to 64 evenly spaced files and decodes none. Unreadable files are left out.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> facts = facts_of(open_dataset("demo"))
        >>> facts.size, facts.channels, facts.classes
        ((28, 28), 1, 10)
    """
    train = dataset.part("train")
    held_out = dataset.part("test")
    held_out = held_out if len(held_out) else dataset.part("val")
    common = DataFacts(
        min(count, len(train)) or len(train),
        channels=dataset.channels,
        held_out=len(held_out),
        classes=len(dataset.classes),
    )
    numbers = np.unique(np.linspace(0, max(len(train) - 1, 0), SAMPLE).astype(int))[: len(train)]
    if train.sounds is not None:
        lengths = list(_lengths(train, numbers))
        seconds = float(np.percentile(lengths, 90)) if lengths else 0.0
        return replace(common, recordings=True, seconds=round(seconds, 2), readable=bool(lengths))
    sizes = list(_sizes(train, numbers))
    middle = np.median(sizes, axis=0) if sizes else (LARGE, LARGE)
    return replace(common, size=(int(middle[0]), int(middle[1])), readable=bool(sizes))


def _sizes(dataset: Dataset, numbers: Iterable[int]) -> Iterable[tuple[int, int]]:
    for index in map(int, numbers):
        try:
            yield dataset.pictures.size(index)
        except UnreadableFileError:
            continue


def _lengths(dataset: Dataset, numbers: Iterable[int]) -> Iterable[float]:
    sounds = dataset.sounds
    assert sounds is not None
    for index in map(int, numbers):
        try:
            yield sounds.length(index) / sounds.spec.rate
        except UnreadableFileError:
            continue
