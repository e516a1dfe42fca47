"""The pictures that the explorer offers at first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from kakera.data.dataset import Dataset
from kakera.data.sources import open_pictures
from kakera.errors import DataError, KakeraError, UnreadableFileError, sentence

MOST = 12
COLOUR = 3  # channels; a model of grey pictures gets them in grey


def open_samples(pictures: str, runs: Sequence[str | Path]) -> Dataset:
    """Up to MOST readable pictures: those named, else of what the runs learned from, else the demo's.

    Raises DataError where pictures were named and none can be read.
    """
    if pictures:
        found = _some(pictures)
        if not len(found):
            raise DataError(
                sentence(pictures, got="no readable picture", expected="some", do="name another folder")
            )
        return found
    for source in dict.fromkeys(_learned_from(runs)):
        with suppress(KakeraError):
            found = _some(source)
            if len(found):
                return found
    return _some("demo")


def _learned_from(runs: Sequence[str | Path]) -> Iterator[str]:
    for run in runs:
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield str(json.loads((Path(run) / "config.json").read_text())["data"])


def _some(source: str) -> Dataset:
    """Evenly spaced ones of those that can be read."""
    dataset = open_pictures([source], COLOUR)
    order = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), 4 * MOST)).astype(int))
    readable = [int(number) for number in order if _reads(dataset, int(number))]
    step = max(1, len(readable) // MOST)
    return dataset.take(readable[::step][:MOST])


def _reads(dataset: Dataset, number: int) -> bool:
    try:
        dataset.pictures.read(number)
    except UnreadableFileError:
        return False
    return True
