"""From a data set's name and some options to what training needs: pictures, options, the model's input."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kakera.data.channels import with_channels
from kakera.data.dataset import ArrayPictures, Dataset
from kakera.data.memory import hold
from kakera.data.sources import open_dataset
from kakera.data.statistics import mean_std
from kakera.errors import DataError, UnreadableFileError, sentence
from kakera.inputs import InputSpec
from kakera.training.options import DataOptions, options_from

SMALL = 64  # pixels: up to here pictures are taken as they are, above at 224
LARGE = 224

Options = TypeVar("Options", bound=DataOptions)


@dataclass(frozen=True)
class Prepared:
    """A data set, held in memory where it is small."""

    dataset: Dataset
    side: int
    """The side of the square that the model sees, in pixels, unless another is asked for."""
    workers: int
    """Processes to read with."""

    def inputs(self, image: int, patch: int) -> InputSpec:
        """Square pictures of `image` pixels (0: as the data are), with the data's own mean and deviation."""
        size = image or -(-self.side // patch) * patch
        mean, std = mean_std(self.dataset.part("train"))
        return InputSpec(self.dataset.channels, size, size, mean, std)


def prepare(
    kind: type[Options],
    data: str | Path | Dataset,
    recipe: str,
    given: dict[str, Any],
    start: InputSpec | None = None,
) -> tuple[Options, Prepared]:
    """The options and the data. Without a recipe: "micro" for pictures up to 64 pixels, else "paper".

    `start` is what the model to start from takes in. Raises DataError, OptionError.
    """
    name = data.name if isinstance(data, Dataset) else str(data)
    given = {name: value for name, value in given.items() if value is not None} | {"data": name}
    options = options_from(kind, recipe or "paper", given)
    channels = start.channels if start else options.channels
    dataset = (
        data
        if isinstance(data, Dataset)
        else open_dataset(data, channels=channels or None, seed=options.seed)
    )
    if dataset.sounds is not None:
        raise DataError(
            sentence(dataset.name, got="recordings", expected="pictures", do="only inspect takes both so far")
        )
    dataset = hold(with_channels(dataset, channels) if channels else dataset)
    if not len(dataset.part("train")):
        raise DataError(
            sentence(dataset.name, got="no training pictures", expected="at least one", do="check the splits")
        )
    side = max(start.size) if start else _side(dataset)
    if not recipe:
        small = (options.image or side) <= SMALL
        options = options_from(kind, "micro" if small else "paper", given)
    workers = options.workers
    if workers < 0:
        workers = 0 if isinstance(dataset.pictures, ArrayPictures) else (os.cpu_count() or 1)
    return options, Prepared(dataset, side, workers)


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
            sentence(
                dataset.name,
                got=f"{len(dataset.classes)} classes and {len(known)} labelled pictures for training",
                expected="at least two classes",
                do="put the pictures into one folder a class, or give a table with labels",
            )
        )


def _side(dataset: Dataset) -> int:
    pictures = dataset.pictures
    if isinstance(pictures, ArrayPictures) and pictures.block is not None:
        side = max(pictures.block.shape[1:3])
        return side if side <= SMALL else LARGE
    sides: list[int] = []
    for index in np.linspace(0, len(dataset) - 1, min(len(dataset), 16)).astype(int):
        try:
            sides.append(max(pictures.read(int(index)).shape[:2]))
        except UnreadableFileError:
            continue
    side = int(np.median(sides)) if sides else LARGE
    return side if side <= SMALL else LARGE
