"""A data set as training needs it: what it is like, what the model takes in, decoded once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from kakera.data.checks.digest import digest
from kakera.data.checks.findings import emptied, taken_line
from kakera.data.checks.leaks import Leaks
from kakera.data.checks.warnings import data_warnings, leak_warning, measured_part
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.images.resize import stored_side
from kakera.data.preload import cache
from kakera.data.preload.preload import is_decoded, preload
from kakera.data.preload.statistics import mean_std
from kakera.errors import DataError
from kakera.inputs import InputSpec
from kakera.machine import Machine
from kakera.option_fields import AUTO, Auto, or_none
from kakera.training.planning.rules import DataFacts
from kakera.training.spectrogram_stats import frames, spectrogram_inputs

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
    facts: DataFacts
    machine: Machine
    reasons: dict[str, str] = field(default_factory=dict)
    """Why the rules chose the network and the length: empty for what was given, or a recipe's."""
    chosen_by_rules: frozenset[str] = frozenset()
    """Names of the options that the rules chose."""
    workers_chosen_automatically: bool = False
    """Whether nobody has named a number of workers: then data in memory are read without any."""
    crop: CenterCrop | None = None
    """What the model to start from sees of a picture in evaluation."""
    crop_pct: float = 1.0
    """Otherwise the share of its shorter side."""
    digest: dict[str, str] = field(default_factory=dict)
    """Of the opened files, the labels and the split: `kakera.data.checks.digest`; empty until held."""

    leaks: Leaks = ()
    """Labelled training files and the files to measure on that are equal to them."""

    def inputs(
        self, image_size: int | Auto, patch: tuple[int, int], seconds: float | Auto = AUTO
    ) -> InputSpec:
        """Describe square pictures of `image_size` pixels (auto: the data's), or spectrograms of `seconds`.

        Both with the mean and deviation of the training part. Raises DataError, OptionError.
        """
        if self.dataset.sounds is not None:
            return spectrogram_inputs(self.dataset, seconds, patch)
        height, width = self.size(image_size, patch, seconds)
        mean, std = mean_std(self.dataset.part("train"))
        crop = self.center_crop((height, width))
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

    def size(
        self, image_size: int | Auto, patch: tuple[int, int], seconds: float | Auto = AUTO
    ) -> tuple[int, int]:
        """(height, width) of what the model will see, before anything is measured. Raises OptionError."""
        sounds = self.dataset.sounds
        if sounds is not None:
            return sounds.spec.bins, frames(seconds, sounds.spec, patch)
        height, width = (or_none(image_size) or -(-self.side // side) * side for side in patch)
        return height, width

    def center_crop(self, size: tuple[int, int]) -> CenterCrop:
        """What a model of `size` (height, width) sees of a picture in evaluation."""
        if self.crop is not None:
            return self.crop.resized(size)
        share = self.crop_pct
        if size[0] == size[1] and share < 1:  # in whole pixels, as the other libraries do
            return CenterCrop(size, resize=(math.floor(size[0] / share),))
        return CenterCrop(size, share)

    def bytes_held(self) -> int:
        """About what the decoded data take in memory, if they are small enough to be kept there.

        Mapped arrays take none: the system drops their pages where memory is short, and reads them again.
        """
        if self.dataset.pictures.mapped:
            return 0
        facts = self.facts
        each = (
            facts.seconds * 16_000 * 4 if facts.recordings else facts.size[0] * facts.size[1] * facts.channels
        )
        whole = int(each * len(self.dataset))
        return whole if whole <= self._limit else 0

    def data_warnings(self) -> list[str]:
        """What spoils a training with these labels or its measure, one sentence each."""
        return [*data_warnings(self.dataset), *self.leak_warning()]

    def leak_warning(self) -> list[str]:
        """A sentence where training files are measured on too; else none."""
        return leak_warning(self.leaks, measured_part(self.dataset), self.dataset.kind)

    @property
    def _limit(self) -> int:
        return min(HELD, int(SHARE * self.machine.memory))

    def preloaded(
        self, size: tuple[int, int] = (0, 0), crop_min_scale: float = 1.0, *, quiet: bool = False
    ) -> Prepared:
        """The same, decoded once: in memory where it is small, else in a cache on disk. Raises DataError.

        With a `size` (height, width) that the model sees, larger pictures are kept no larger than crops of
        at least `crop_min_scale` of their area need. Unless `quiet`, as for a sample, a line says what was
        taken and what was not, and the facts count the files that can be read.
        """
        found = self.digest or digest(self.dataset)
        if any(size) and self.dataset.sounds is None:
            shorter = stored_side(max(size), crop_min_scale)
            dataset = preload(self.dataset, self._limit, shorter=shorter, size=self.center_crop(size))
        else:
            dataset = preload(self.dataset, self._limit)
        if not len(dataset.part("train")):
            raise no_training(dataset)
        if not quiet:
            self.print_summary(replace(dataset, emptied=emptied(self.dataset, dataset)))
        workers = 0 if is_decoded(dataset) and self.workers_chosen_automatically else self.workers
        facts = self.facts if quiet else counted(self.facts, dataset)
        return replace(self, dataset=dataset, workers=workers, digest=found, facts=facts)

    def print_summary(self, dataset: Dataset | None = None) -> None:
        """Say in a line what was taken and what was not, of the data as they are or as they are held."""
        files = self.dataset.pictures
        cache.print_line(taken_line(self.dataset if dataset is None else dataset, files.clipped, files.noted))


def counted(facts: DataFacts, dataset: Dataset) -> DataFacts:
    """The facts with the files counted anew, after the unreadable ones were dropped."""
    held_out = len(dataset.part("test")) or len(dataset.part("val"))
    return replace(facts, count=min(facts.count, len(dataset.part("train"))), held_out=held_out)


def no_training(dataset: Dataset) -> DataError:
    """The error of a data set without a training part."""
    return DataError(dataset.name, got="no training pictures", expected="at least one", do="check the splits")
