"""A data set prepared for training: facts, model input, decoded samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from kakera.data.checks.digest import digest
from kakera.data.checks.findings import folders_without_files, taken_line
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

HELD = 2 << 30  # bytes: limit for pictures or waveforms in memory
SHARE = 0.25  # the same limit as a share of the free memory


@dataclass(frozen=True)
class Prepared:
    """A data set, stored in memory if it is small, with the reasons for its automatic options.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> machine = Machine(cores=2, memory=8 * 2**30, gflops=160.0)
        >>> data = Prepared(open_dataset("demo"), side=28, workers=0, facts=DataFacts(400), machine=machine)
        >>> data.size("auto", patch=(8, 8)), data.size(64, patch=(8, 8))
        ((32, 32), (64, 64))
    """

    dataset: Dataset
    side: int
    """Side of the square model input in pixels, unless the user sets another."""
    workers: int
    """Number of data loading processes."""
    facts: DataFacts
    machine: Machine
    reasons: dict[str, str] = field(default_factory=dict)
    """Reasons for network and length, by name; without those that the user or a recipe chose."""
    chosen_by_rules: frozenset[str] = frozenset()
    """Names of the options that the rules chose."""
    workers_chosen_automatically: bool = False
    """True if the user set no number of workers; then data in memory are read without workers."""
    crop: CenterCrop | None = None
    """The evaluation crop of the initial model; None for `crop_pct`."""
    crop_pct: float = 1.0
    """Share of the shorter side in evaluation, if `crop` is None."""
    digest: dict[str, str] = field(default_factory=dict)
    """Digests of files, labels and split, see `kakera.data.checks.digest`; empty until `preloaded`."""

    leaks: Leaks = ()
    """Labelled training files and the evaluation files that are equal to them."""

    def inputs(
        self, image_size: int | Auto, patch: tuple[int, int], seconds: float | Auto = AUTO
    ) -> InputSpec:
        """Return the model input: square pictures of `image_size` pixels, or spectrograms of `seconds`.

        "auto" uses the size of the data. Mean and standard deviation are those of the training part. Raises
        DataError, OptionError.
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
        """Return (height, width) of the model input, without reading the data. Raises OptionError."""
        sounds = self.dataset.sounds
        if sounds is not None:
            return sounds.spec.bins, frames(seconds, sounds.spec, patch)
        height, width = (or_none(image_size) or -(-self.side // side) * side for side in patch)
        return height, width

    def center_crop(self, size: tuple[int, int]) -> CenterCrop:
        """Return the evaluation crop for a model input of `size` (height, width)."""
        if self.crop is not None:
            return self.crop.resized(size)
        share = self.crop_pct
        if size[0] == size[1] and share < 1:  # in whole pixels, as in timm and torchvision
            return CenterCrop(size, resize=(math.floor(size[0] / share),))
        return CenterCrop(size, share)

    def bytes_held(self) -> int:
        """Return the approximate bytes of the decoded data in memory; 0 if they are too large to store.

        Memory-mapped arrays count as 0: the system drops their pages when memory is short.
        """
        if self.dataset.pictures.mapped:
            return 0
        facts = self.facts
        each = (
            facts.seconds * 16_000 * 4 if facts.recordings else facts.size[0] * facts.size[1] * facts.channels
        )
        whole = int(each * len(self.dataset))
        return whole if whole <= self.memory_limit else 0

    def data_warnings(self) -> list[str]:
        """Return warnings about the labels and the evaluation part, one sentence each."""
        return [*data_warnings(self.dataset), *self.leak_warning()]

    def leak_warning(self) -> list[str]:
        """Return a warning if some training files are also evaluation files, else an empty list."""
        return leak_warning(self.leaks, measured_part(self.dataset), self.dataset.kind)

    @property
    def memory_limit(self) -> int:
        """The most bytes of data that are kept in memory."""
        return min(HELD, int(SHARE * self.machine.memory))

    def preloaded(
        self, size: tuple[int, int] = (0, 0), crop_min_scale: float = 1.0, *, quiet: bool = False
    ) -> Prepared:
        """Decode the data once and return them: in memory if they are small, else in a cache on disk.

        `size` is (height, width) of the model input. With it, larger pictures are stored only as large as
        crops of at least `crop_min_scale` of their area need. Unless `quiet`, prints a summary of used and
        skipped files, and the facts count only readable files. Raises DataError.
        """
        digests = self.digest or digest(self.dataset)
        if any(size) and self.dataset.sounds is None:
            shorter = stored_side(max(size), crop_min_scale)
            dataset = preload(self.dataset, self.memory_limit, shorter=shorter, size=self.center_crop(size))
        else:
            dataset = preload(self.dataset, self.memory_limit)
        if not len(dataset.part("train")):
            raise no_training(dataset)
        if not quiet:
            self.print_summary(replace(dataset, emptied=folders_without_files(self.dataset, dataset)))
        workers = 0 if is_decoded(dataset) and self.workers_chosen_automatically else self.workers
        facts = self.facts if quiet else counted(self.facts, dataset)
        return replace(self, dataset=dataset, workers=workers, digest=digests, facts=facts)

    def print_summary(self, dataset: Dataset | None = None) -> None:
        """Print one line with the used and the skipped files of `dataset`, by default of the opened data."""
        files = self.dataset.pictures
        cache.print_line(taken_line(self.dataset if dataset is None else dataset, files.clipped, files.noted))


def counted(facts: DataFacts, dataset: Dataset) -> DataFacts:
    """Return the facts with new file counts, after unreadable files were dropped.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> counted(DataFacts(1_000_000), open_dataset("demo").part("train").take(range(20))).count
        20
    """
    held_out = len(dataset.part("test")) or len(dataset.part("val"))
    return replace(facts, count=min(facts.count, len(dataset.part("train"))), held_out=held_out)


def no_training(dataset: Dataset) -> DataError:
    """Return the error for a data set without training files.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> print(no_training(open_dataset("demo").part("test")))
        demo: got no training pictures, expected at least one; check the split
    """
    return DataError(dataset.name, got="no training pictures", expected="at least one", do="check the split")
