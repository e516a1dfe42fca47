"""From a data set's name to what training needs: pictures in memory or on disk, size, mean and deviation."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from kakera.data.dataset import ArrayPictures, Dataset
from kakera.data.memory import hold
from kakera.data.sources import open_dataset
from kakera.data.statistics import mean_std
from kakera.errors import DataError, UnreadableFileError, sentence
from kakera.inputs import InputSpec

SMALL = 64  # pixels: up to here pictures are taken as they are, above at 224


@dataclass(frozen=True)
class Prepared:
    """A data set, held in memory where it is small, and the number of processes to read it with."""

    dataset: Dataset
    side: int
    """The longest side of a typical picture, in pixels."""
    workers: int

    @property
    def recipe(self) -> str:
        """The recipe for pictures of this size."""
        return "micro" if self.side <= SMALL else "paper"

    def inputs(self, image: int, patch: int) -> InputSpec:
        """Square pictures of `image` pixels, or as large as fits the data; own mean and deviation."""
        own = -(-self.side // patch) * patch if self.side <= SMALL else 224
        size = image or own
        mean, std = mean_std(self.dataset.part("train"))
        return InputSpec(self.dataset.channels, size, size, tuple(mean), tuple(std))


def prepare(source: str | Dataset, *, channels: int = 0, workers: int = -1, seed: int = 0) -> Prepared:
    """Open and, where it is small, decode a data set. Raises DataError where nothing can be trained on."""
    dataset = (
        source if isinstance(source, Dataset) else open_dataset(source, channels=channels or None, seed=seed)
    )
    dataset = hold(dataset)
    if not len(dataset.part("train")):
        raise DataError(
            sentence(dataset.name, got="no training pictures", expected="at least one", do="check the splits")
        )
    if workers < 0:
        workers = 0 if isinstance(dataset.pictures, ArrayPictures) else (os.cpu_count() or 1)
    return Prepared(dataset, _side(dataset), workers)


def _side(dataset: Dataset) -> int:
    if isinstance(dataset.pictures, ArrayPictures) and dataset.pictures.block is not None:
        return max(dataset.pictures.block.shape[1:3])
    sides: list[int] = []
    for index in np.linspace(0, len(dataset) - 1, min(len(dataset), 16)).astype(int):
        try:
            sides.append(max(dataset.pictures.read(int(index)).shape[:2]))
        except UnreadableFileError:
            continue
    return int(np.median(sides)) if sides else 224
