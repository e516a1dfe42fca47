"""From a data set's name and some options to what training needs: pictures, options, the model's input."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kakera.data.batch import Augmentation
from kakera.data.channels import with_channels
from kakera.data.dataset import ArrayPictures, Dataset
from kakera.data.digest import digest
from kakera.data.memory import hold
from kakera.data.sounds import ArraySounds
from kakera.data.sources import open_dataset
from kakera.data.statistics import mean_std
from kakera.errors import DataError, OptionError, UnreadableFileError, sentence
from kakera.inputs import InputSpec
from kakera.model.sizes import VitShape
from kakera.sound.spec import preset
from kakera.training.launch import processes
from kakera.training.options import (
    DataOptions,
    FinetuneOptions,
    LearningOptions,
    PretrainOptions,
    SoundOptions,
)
from kakera.training.recipes import options_from, pair
from kakera.training.spectrograms import spectrogram_inputs

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
    digest: dict[str, str] = field(default_factory=dict)
    """Of the files as they were opened, the labels and the split: `kakera.data.digest`."""

    def inputs(self, image: int, patch: tuple[int, int], seconds: float = 0.0) -> InputSpec:
        """Square pictures of `image` pixels (0: as the data are), or spectrograms of `seconds` of recordings.

        Both with the mean and deviation of the training part. Raises DataError, OptionError.
        """
        if self.dataset.sounds is not None:
            return spectrogram_inputs(self.dataset, seconds, patch)
        height, width = (image or -(-self.side // side) * side for side in patch)
        mean, std = mean_std(self.dataset.part("train"))
        return InputSpec(self.dataset.channels, height, width, mean, std)


def prepare(
    kind: type[Options],
    data: str | Path | Dataset,
    recipe: str,
    given: dict[str, Any],
    start: InputSpec | None = None,
) -> tuple[Options, Prepared]:
    """The options and the data. Without a recipe: "micro" for pictures up to 64 pixels, else "paper".

    Recordings get "audio-micro". `start` is what the model to start from takes in. Raises DataError,
    OptionError.
    """
    name = data.name if isinstance(data, Dataset) else str(data)
    given = {name: value for name, value in given.items() if value is not None} | {"data": name}
    options = options_from(kind, recipe or "paper", given)
    channels = start.channels if start and not start.sound else options.channels
    if isinstance(options, FinetuneOptions) and options.channels:
        channels = options.channels  # a start is changed for them
    dataset = (
        data
        if isinstance(data, Dataset)
        else open_dataset(data, channels=channels or None, seed=options.seed)
    )
    if start:
        _same_kind(dataset, start)
    found = digest(dataset)
    if dataset.sounds is not None and not recipe:
        options = options_from(kind, "audio-micro", given)
    dataset = hold(_heard(with_channels(dataset, channels) if channels else dataset, options, start))
    if not len(dataset.part("train")):
        raise DataError(
            sentence(dataset.name, got="no training pictures", expected="at least one", do="check the splits")
        )
    if dataset.sounds is not None:
        return options, Prepared(dataset, 0, _workers(dataset, options), found)
    side = max(start.size) if start else _side(dataset)
    if not recipe:
        small = (options.image or side) <= SMALL
        options = options_from(kind, "micro" if small else "paper", given)
    return options, Prepared(dataset, side, _workers(dataset, options), found)


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


def augmentation(options: PretrainOptions | FinetuneOptions) -> Augmentation:
    """What is drawn anew each epoch."""
    return Augmentation(
        crop=(options.crop_least, 1.0),
        shift=options.shift,
        flip=options.flip,
        roll=options.roll,
        gain=options.gain,
        noise=options.noise,
    )


def require_patches(shape: VitShape, patch: tuple[int, ...], stride: tuple[int, ...] = ()) -> VitShape:
    """The shape on the patches that were asked for. Raises OptionError."""
    sides = pair("patch", patch) or shape.patch
    return shape.with_patch(sides, pair("stride", stride))


def _same_kind(dataset: Dataset, start: InputSpec) -> None:
    got, expected = dataset.kind, "recordings" if start.sound else "pictures"
    if got != expected:
        raise DataError(
            sentence(
                dataset.name, got=got, expected=f"{expected}, as in the run", do="start from another run"
            )
        )


def _heard(dataset: Dataset, options: DataOptions, start: InputSpec | None) -> Dataset:
    """Recordings by the spec of the start, or by that of the options; pictures as they are."""
    if dataset.sounds is None:
        return dataset
    if options.image:
        raise OptionError(
            sentence("image", got=options.image, expected="0 for recordings", do="choose --seconds instead")
        )
    if start is not None and start.sound is not None:
        spec = start.sound
    else:
        assert isinstance(options, SoundOptions)
        spec = preset(options.sound)
    return replace(dataset, pictures=dataset.sounds.heard(spec))


def _workers(dataset: Dataset, options: DataOptions) -> int:
    if options.workers >= 0:
        return options.workers
    if isinstance(dataset.pictures, ArrayPictures | ArraySounds):
        return 0
    together = processes(options)[0] if isinstance(options, LearningOptions) else 1
    return max(1, (os.cpu_count() or 1) // together)


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
