"""The data of an encoders study: labelled files, draws of labels, and the tokens of each encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.fitting.files import open_files, read_for, value_ranges, with_values
from kakera.commands.fitting.setup import FitSetup, require_labels_of_classes
from kakera.commands.fitting.tokens import FitTokens, missing, tokens_of
from kakera.commands.labelled import held_out, labelled_part, require_labels
from kakera.commands.seen_files import seen_files
from kakera.data.checks.digest import digest
from kakera.data.checks.leaks import leaks
from kakera.data.checks.warnings import data_warnings, leak_warning, measured_part, uneven
from kakera.data.dataset import Dataset
from kakera.data.images.value_range import range_from_options
from kakera.data.split import few
from kakera.errors import DataError, OptionError
from kakera.formats.tokens.encoder import FrozenEncoder
from kakera.formats.tokens.keys import Key, file_keys
from kakera.option_fields import AUTO, or_none
from kakera.study.encoders.source import EncoderSource, open_encoders, open_first, require_names
from kakera.study.encoders.tokens import baseline_tokens, missing_baseline
from kakera.study.study_options import EncodersOptions
from kakera.training.options import FitOptions
from kakera.training.planning.situation import config_of

FEW, MANY = 10, 100  # labels for each class if no numbers are given
MOST = 10_000  # labels at most, if no numbers are given
Draw = tuple[int, int]
"""A number of labels, and the seed that draws them."""


@dataclass(frozen=True, eq=False)
class EncodersData:
    """The opened files of a study and its encoders. See `open_encoders_data`."""

    dataset: Dataset
    labelled: Dataset
    """The labelled training files."""
    part: str
    """Name of the part to evaluate on: "test" or "val"."""
    test: Dataset
    """The labelled files of that part."""
    sources: tuple[EncoderSource, ...]
    warnings: tuple[str, ...]
    digest: dict[str, str]
    _keys: dict[Any, tuple[tuple[Key, ...], tuple[Key, ...]]] = field(default_factory=dict)
    _draws: dict[Draw, NDArray[np.int64]] = field(default_factory=dict)
    _recent: dict[Any, Any] = field(default_factory=dict)
    """The encoder and the tokens that were used last: at most one of each."""

    @property
    def is_uneven(self) -> bool:
        """True if some classes have many more test files than others: balanced accuracy is measured."""
        labels = self.test.labels
        assert labels is not None
        single = not (self.dataset.regression or self.dataset.multi_label)
        return single and uneven(np.bincount(labels, minlength=len(self.dataset.classes)).tolist())

    def counts(self, options: EncodersOptions) -> list[int]:
        """Return the numbers of labels, each once, in ascending order.

        Raises OptionError for more labels than there are, and for less than one for each class.
        """
        most, classes = len(self.labelled), len(self.dataset.classes)
        single = not (self.dataset.regression or self.dataset.multi_label)
        if options.labels == AUTO:
            many = min(MANY * (classes if single else 10), max(MOST, classes))
            small = FEW * (classes if single else 10)
            return [small, min(many, most)] if 2 * small <= min(many, most) else [min(many, most)]
        least = classes if single else 2
        for count in options.labels:
            if count and count < least:
                expected = f"at least {least}" + (", one for each class" if single else "")
                raise OptionError("labels", got=count, expected=expected, do="use more labels")
            if count > most:
                expected = f"at most {most}, the labelled training {self.dataset.kind}"
                raise OptionError("labels", got=count, expected=expected, do="use fewer; 0 means all")
        return sorted({count or most for count in options.labels})

    def draws(self, options: EncodersOptions) -> dict[Draw, NDArray[np.int64]]:
        """Return the labelled training files of each draw, by number of labels and seed.

        All labels can be drawn in one way only, so this draw is there once. Small draws are parts of large
        ones with the same seed.
        """
        labels = self.labelled.labels
        assert labels is not None
        found: dict[Draw, NDArray[np.int64]] = {}
        for count in self.counts(options):
            seeds = options.seeds if count < len(self.labelled) else 1
            for seed in range(options.seed, options.seed + seeds):
                if (count, seed) not in self._draws:
                    self._draws[count, seed] = few(labels, count, seed)
                found[count, seed] = self._draws[count, seed]
        return found

    def rows(self, options: EncodersOptions) -> NDArray[np.int64]:
        """Return the labelled training files that any draw contains, int (n,), in ascending order."""
        return np.unique(np.concatenate(list(self.draws(options).values())))

    def encoder(self, source: EncoderSource, run: Path) -> FrozenEncoder:
        """Return an encoder; the one used last stays in memory. `run` is the pretraining of mae."""
        if self._recent.get("encoder", ("", None))[0] != source.unit:
            self._recent.pop("encoder", None)
            self._recent["encoder"] = source.unit, source.open(run)
        return self._recent["encoder"][1]

    def setup(self, source: EncoderSource, options: EncodersOptions, run: Path) -> FitSetup:
        """Return the files of all draws and the test files, as an encoder reads them."""
        encoder, fit = self.encoder(source, run), fit_options(options, source.name)
        ranges = value_ranges(options, encoder.inputs)
        rows = self.rows(options)
        train, test = (
            read_for(with_values(files, ranges), encoder.inputs)
            for files in (self.labelled.take(rows), self.test)
        )
        keys = self._keys_of(train, test, rows)
        return FitSetup(fit, train, encoder, train, self.part, test, *keys)

    def tokens(self, source: EncoderSource, options: EncodersOptions, run: Path) -> FitTokens:
        """Return the tokens of all draws and of the test files, from the cache or computed.

        Those that were used last stay in memory. Raises DataError if no test file is readable.
        """
        rows = self.rows(options)
        name = source.unit, rows.tobytes()
        if self._recent.get("tokens", ("", None))[0] != name:
            self._recent.pop("tokens", None)
            if source.is_baseline:
                train = self.labelled.take(rows)
                keys = self._keys_of(train, self.test, rows)
                found = baseline_tokens(train, self.test, keys, source.name)
            else:
                setup = self.setup(source, options, run)
                found = tokens_of(setup, missing(setup))
            if not len(found.test_rows) or not len(found.train_rows):
                got, do = f"no readable training or {self.part} file", "check the files"
                raise DataError(self.dataset.name, got=got, expected="at least one", do=do)
            self._recent["tokens"] = name, found
        return self._recent["tokens"][1]

    def missing(self, source: EncoderSource, options: EncodersOptions, run: Path) -> int:
        """Return the number of files whose tokens must be computed."""
        if not source.is_baseline:
            return sum(missing(self.setup(source, options, run)))
        rows = self.rows(options)
        train = self.labelled.take(rows)
        first, second = self._keys_of(train, self.test, rows)
        return missing_baseline(train, first) + missing_baseline(self.test, second)

    def _keys_of(
        self, train: Dataset, test: Dataset, rows: NDArray[np.int64]
    ) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Return the keys in the cache; those of files do not depend on how an encoder reads them."""
        encoded = test.sounds is not None or test.pictures.has_file(0)
        name = rows.tobytes(), 0 if encoded else test.channels
        if name not in self._keys:
            self._keys[name] = tuple(file_keys(train)), tuple(file_keys(test))
        return self._keys[name]


def open_encoders_data(data: str | Path | Dataset, options: EncodersOptions) -> EncodersData:
    """Open the data and all encoders. Raises DataError and OptionError for what no study can use."""
    for option in ("image_size", "channels"):
        if getattr(options, option) != AUTO:
            got, do = getattr(options, option), "leave it out"
            raise OptionError(option, got=got, expected="nothing: each encoder has its own", do=do)
    if options.crop_pct != 1.0:
        expected = "nothing: each encoder has its own"
        raise OptionError("crop_pct", got=options.crop_pct, expected=expected, do="leave it out")
    require_names(options.encoders)
    if options.device not in (AUTO, "cpu"):
        from kakera.training.device import device_of

        device_of(options.device)
    first = open_first(options.encoders)
    bits, bounds = or_none(options.bits) or 0, or_none(options.value_range) or ()
    dataset = open_files(data, fit_options(options, ""), first, range_from_options(bits, bounds))
    sources = open_encoders(options.encoders, dataset)
    require_labels(dataset)
    labelled = labelled_part(dataset, "train")
    require_labels_of_classes(labelled)
    part, test = held_out(dataset)
    if not len(test):
        got, do = f"no labelled test {dataset.kind}", "add a test part"
        raise DataError(dataset.name, got=got, expected="at least one", do=do)
    found = EncodersData(dataset, labelled, part, test, sources, (), digest(dataset))
    for rows in found.draws(options).values():
        require_labels_of_classes(labelled.take(rows))
    pairs = leaks(labelled, test)
    warnings = [*data_warnings(dataset), *leak_warning(pairs, measured_part(dataset), dataset.kind)]
    warnings += [text for source in sources if (text := _tuned(source, labelled, test))]
    return EncodersData(dataset, labelled, part, test, sources, tuple(warnings), found.digest)


def _tuned(source: EncoderSource, labelled: Dataset, test: Dataset) -> str:
    """Return a warning about a run that was fine-tuned on these files, else an empty string."""
    if config_of(source.name).get("verb") != "finetune":
        return ""
    for files, what in ((test, "test files"), (labelled, "labels that the others have not")):
        if seen_files(source.name, files):
            return f"{source.name} was fine-tuned on files of this data set and has seen {what}"
    return ""


def fit_options(options: EncodersOptions, name: str) -> FitOptions:
    """Return the options of a fit with an encoder of a study.

    Example:

        >>> fit_options(EncodersOptions("pictures", seed=3), "runs/mae").seed
        3
    """
    return FitOptions(
        options.data,
        init_from=name,
        kind=options.kind,
        bits=options.bits,
        value_range=options.value_range,
        workers=options.workers,
        seed=options.seed,
        device=options.device,
        task=options.task,
        target_column=options.target_column,
    )
