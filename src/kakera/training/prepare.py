"""From a data set's name and some options to what training needs: pictures, options, the model's input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from kakera import duration
from kakera.data import cache, value_range
from kakera.data.batch import Augmentation
from kakera.data.channels import with_channels
from kakera.data.crop import CenterCrop
from kakera.data.dataset import Dataset
from kakera.data.digest import digest
from kakera.data.findings import emptied, taken_line
from kakera.data.measure import with_ranges
from kakera.data.media import Kind
from kakera.data.memory import at_hand, hold
from kakera.data.shard_source import is_shards
from kakera.data.shrink import stored_side
from kakera.data.sources import open_dataset
from kakera.data.statistics import mean_std
from kakera.errors import DataError, OptionError, sentence
from kakera.inputs import InputSpec
from kakera.machine import Machine, this_machine, usable_cores
from kakera.model.sizes import VitShape
from kakera.sound.spec import preset
from kakera.training.configuration import chosen_before
from kakera.training.facts import facts_of
from kakera.training.launch import processes
from kakera.training.options import (
    DataOptions,
    FinetuneOptions,
    LearningOptions,
    PretrainOptions,
    ProbeOptions,
    SoundOptions,
)
from kakera.training.recipes import build, options_from, pair, verb_of
from kakera.training.rules import LARGE, SMALL, Choice, Facts, choose
from kakera.training.spectrograms import frames, spectrogram_inputs

Options = TypeVar("Options", bound=DataOptions)

HELD = 2 << 30  # bytes of pictures or waveforms that are kept in memory, at most
SHARE = 0.25  # of the free memory, at most


@dataclass(frozen=True)
class Prepared:
    """A data set, held in memory where it is small, and why its options are what they are."""

    dataset: Dataset
    side: int
    """The side of the square that the model sees, in pixels, unless another is asked for."""
    workers: int
    """Processes to read with."""
    facts: Facts
    machine: Machine
    reasons: dict[str, str] = field(default_factory=dict)
    """Why the rules chose the network and the length: empty for what was given, or a recipe's."""
    ruled: frozenset[str] = frozenset()
    """Names of the options that the rules chose."""
    alone: bool = False
    """Whether nobody has named a number of workers: then data in memory are read without any."""
    crop: CenterCrop | None = None
    """What the model to start from sees of a picture in evaluation."""
    crop_pct: float = 1.0
    """Otherwise the share of its shorter side."""
    digest: dict[str, str] = field(default_factory=dict)
    """Of the files as they were opened, the labels and the split: `kakera.data.digest`; empty until held."""

    def inputs(self, image: int, patch: tuple[int, int], seconds: float = 0.0) -> InputSpec:
        """Square pictures of `image` pixels (0: as the data are), or spectrograms of `seconds` of recordings.

        Both with the mean and deviation of the training part. Raises DataError, OptionError.
        """
        if self.dataset.sounds is not None:
            return spectrogram_inputs(self.dataset, seconds, patch)
        height, width = self.size(image, patch, seconds)
        mean, std = mean_std(self.dataset.part("train"))
        crop = self.cropped((height, width))
        return InputSpec(
            self.dataset.channels,
            height,
            width,
            mean,
            std,
            crop_pct=crop.crop_pct,
            resize=crop.resize,
            values=self.dataset.ranges,
        )

    def size(self, image: int, patch: tuple[int, int], seconds: float = 0.0) -> tuple[int, int]:
        """(height, width) of what the model will see, before anything is measured. Raises OptionError."""
        sounds = self.dataset.sounds
        if sounds is not None:
            return sounds.spec.bins, frames(seconds, sounds.spec, patch)
        height, width = (image or -(-self.side // side) * side for side in patch)
        return height, width

    def cropped(self, size: tuple[int, int]) -> CenterCrop:
        """What a model of `size` (height, width) sees of a picture in evaluation."""
        if self.crop is not None:
            return self.crop.resized(size)
        share = self.crop_pct
        if size[0] == size[1] and share < 1:  # in whole pixels, as the other libraries do
            return CenterCrop(size, resize=(math.floor(size[0] / share),))
        return CenterCrop(size, share)

    def bytes_held(self) -> int:
        """About what the decoded data take in memory, if they are small enough to be kept there."""
        facts = self.facts
        each = (
            facts.seconds * 16_000 * 4 if facts.recordings else facts.size[0] * facts.size[1] * facts.channels
        )
        whole = int(each * len(self.dataset))
        return whole if whole <= self._limit else 0

    @property
    def _limit(self) -> int:
        return min(HELD, int(SHARE * self.machine.memory))

    def held(
        self, size: tuple[int, int] = (0, 0), crop_least: float = 1.0, *, quiet: bool = False
    ) -> Prepared:
        """The same, decoded once: in memory where it is small, else in a cache on disk. Raises DataError.

        With a `size` (height, width) that the model sees, larger pictures are kept no larger than crops of
        at least `crop_least` of their area need. Unless `quiet`, a line says what was taken and what was not.
        """
        found = self.digest or digest(self.dataset)
        if any(size) and self.dataset.sounds is None:
            shorter = stored_side(max(size), crop_least)
            dataset = hold(self.dataset, self._limit, shorter=shorter, size=self.cropped(size))
        else:
            dataset = hold(self.dataset, self._limit)
        if not len(dataset.part("train")):
            raise _no_training(dataset)
        if not quiet:
            found_clipped = getattr(self.dataset.pictures, "clipped", {})
            cache.say(taken_line(replace(dataset, emptied=emptied(self.dataset, dataset)), found_clipped))
        workers = 0 if at_hand(dataset) and self.alone else self.workers
        return replace(self, dataset=dataset, workers=workers, digest=found)


def prepare(
    kind: type[Options],
    data: str | Path | Dataset,
    recipe: str,
    given: dict[str, Any],
    start: InputSpec | None = None,
) -> tuple[Options, Prepared]:
    """The options and the data, held in memory where they are small: `resolve`, then `held`."""
    options, prepared = resolve(kind, data, recipe, given, start)
    return options, prepared.held()


def resolve(
    kind: type[Options],
    data: str | Path | Dataset,
    recipe: str,
    given: dict[str, Any],
    start: InputSpec | None = None,
) -> tuple[Options, Prepared]:
    """The options and the data set, of which nothing but a few headers has been read yet.

    Without a recipe the rules choose (`rules.choose`), or, where the run has begun before, what they chose
    then. `start` is what the model to start from takes in. Raises DataError, OptionError.
    """
    name = data.name if isinstance(data, Dataset) else str(data)
    given = {name: value for name, value in given.items() if value is not None} | {"data": name}
    options = options_from(kind, recipe, given) if recipe else build(kind, given)
    channels = start.channels if start and not start.sound else options.channels
    if isinstance(options, FinetuneOptions) and options.channels:
        channels = options.channels  # a start is changed for them
    ranges = value_range.given(options.bits, options.value_range) or (start.values if start else ())
    dataset = (
        data
        if isinstance(data, Dataset)
        else open_dataset(
            data,
            channels=channels or None,
            seed=options.seed,
            kind=chosen_kind(options, str(data), start),
            ranges=ranges,
        )
    )
    if ranges and isinstance(data, Dataset):
        known = {kind for kind, *_ in ranges}
        dataset = with_ranges(data, (*ranges, *(one for one in data.ranges if one[0] not in known)))
    if start:
        _same_kind(dataset, start)
    if not len(dataset.part("train")):
        raise _no_training(dataset)
    if dataset.sounds is None and channels:
        dataset = with_channels(dataset, channels)
    machine = this_machine(getattr(options, "device", "auto"), measure=_alone(options))
    facts = facts_of(dataset, options.labels if isinstance(options, FinetuneOptions) else 0)
    choice = Choice("")
    if not recipe and isinstance(options, PretrainOptions | FinetuneOptions):
        span = duration.seconds(options.time) if options.time else 0.0
        choice = choose(verb_of(options), facts, machine, span, given)
    before = chosen_before(kind, getattr(options, "out", ""), recipe)
    if before is not None and not isinstance(options, ProbeOptions):
        choice = Choice(choice.recipe, before, choice.reasons)
    if choice.recipe or choice.values:
        options = options_from(kind, recipe or choice.recipe, {**choice.values, **given})
    dataset = _heard(dataset, options, start)
    side = max(start.size) if start else max(facts.size)
    side = side if start or side <= SMALL else LARGE
    found = Prepared(dataset, side, _workers(options), facts, machine, choice.reasons)
    ruled = frozenset(set(choice.values) - set(given))
    crop = CenterCrop.of(start) if start and not start.sound and "crop_pct" not in given else None
    found = replace(found, crop=crop, crop_pct=options.crop_pct)
    return options, replace(found, ruled=ruled, alone=options.workers < 0)


def chosen_kind(options: DataOptions, data: str, start: InputSpec | None) -> Kind:
    """The kind that is asked for; else, of files and tables, what the model to start from takes."""
    if options.kind != "any" or start is None or not Path(data).exists() or is_shards(data):
        return options.kind
    return "recordings" if start.sound else "pictures"


def _alone(options: DataOptions) -> bool:
    """Whether one process trains: of several each would measure another speed."""
    return not isinstance(options, LearningOptions) or processes(options) == (1, 1)


def _no_training(dataset: Dataset) -> DataError:
    return DataError(
        sentence(dataset.name, got="no training pictures", expected="at least one", do="check the splits")
    )


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


def _workers(options: DataOptions) -> int:
    """Processes that read what is not in memory: one a core, shared by the processes that train here."""
    if options.workers >= 0:
        return options.workers
    together = processes(options)[0] if isinstance(options, LearningOptions) else 1
    return max(1, usable_cores() // together)
