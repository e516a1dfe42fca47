"""The setup of a fit: options, encoder, labelled training files and test files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.fitting.files import open_files, read_for, value_ranges
from kakera.commands.fitting.patch_tokens import require_patch_tokens
from kakera.commands.labelled import held_out, labelled_part, require_labels
from kakera.data.checks.leaks import leaks
from kakera.data.checks.warnings import data_warnings, leak_warning, measured_part
from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.errors import DataError, OptionError
from kakera.formats.rejection import rejection_pool
from kakera.formats.tokens.encoder import FrozenEncoder, open_encoder
from kakera.formats.tokens.keys import Key, file_keys
from kakera.formats.tokens.store import Kind, PoolName
from kakera.inputs import InputSpec
from kakera.machine import usable_cores
from kakera.option_fields import AUTO
from kakera.training.options import FitOptions
from kakera.training.recipes import build

if TYPE_CHECKING:
    from kakera.formats.bundle import Pretrained

FEW = 256  # up to this number of files, reading them takes less time than starting processes


@dataclass(frozen=True, eq=False)
class FitSetup:
    """The options, the opened data and the encoder of a fit. See `open_setup`."""

    options: FitOptions
    dataset: Dataset
    encoder: FrozenEncoder
    train: Dataset
    """The labelled training files to use."""
    part: str
    """Name of the part to evaluate on: "test" or "val"."""
    test: Dataset
    """The labelled files of that part."""
    train_keys: tuple[Key, ...]
    test_keys: tuple[Key, ...]
    """The keys of these files in the token cache."""
    leaked: tuple[str, ...] = ()
    """Warnings about files that are in both parts."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The tokens to compute: those of the last layer for each pooling that is tried, or rejects files."""
        patches: tuple[PoolName, ...] = ("patches",) if self.options.head == "attentive" else ()
        return tuple((-1, pool) for pool in dict.fromkeys((*self.pools, self.rejection_pooling, *patches)))

    @property
    def pools(self) -> tuple[PoolName, ...]:
        """The poolings that the head may read."""
        return self.encoder.pools if self.options.pool == AUTO else (self.options.pool,)

    @property
    def rejection_pooling(self) -> PoolName:
        """The pooling for "none of these"."""
        return rejection_pool(self.encoder.class_tokens)

    @property
    def inputs(self) -> InputSpec:
        """The input specification of the classifier."""
        inputs = self.encoder.inputs
        return replace(inputs, values=self.dataset.ranges) if inputs.sound is None else inputs

    @property
    def workers(self) -> int:
        """The number of processes that read files: one per core, none for few files or for arrays."""
        if self.options.workers != AUTO:
            return self.options.workers
        held = self.dataset.pictures.in_memory or len(self.train) + len(self.test) <= FEW
        return 0 if held else usable_cores()

    def warnings(self) -> list[str]:
        """Return warnings about the labels and the test part, one sentence each."""
        fewer = len(self.train) < len(labelled_part(self.dataset, "train"))
        return [*data_warnings(self.dataset, self.train if fewer else None), *self.leaked]

    def with_fewer(self, count: int) -> FitSetup:
        """Return the same with `count` labelled training files, equally from each class."""
        assert self.train.labels is not None
        rows = few(self.train.labels, count, self.options.label_seed)
        return self.take(rows, np.arange(len(self.test)))

    def take(self, train: NDArray[np.int64], test: NDArray[np.int64]) -> FitSetup:
        """Return the same with these rows of the training files and of the test files."""
        return replace(
            self,
            train=self.train.take(train),
            test=self.test.take(test),
            train_keys=tuple(self.train_keys[row] for row in train.tolist()),
            test_keys=tuple(self.test_keys[row] for row in test.tolist()),
        )


def open_setup(
    data: str | Path | Dataset,
    given: Mapping[str, Any],
    loaded: Callable[[], Pretrained] | None = None,
) -> FitSetup:
    """Open data and encoder; `given` are the passed options, `loaded` is as in `open_encoder`.

    Raises DataError for data without labels, with labels of one class only, or of another kind than the
    encoder; OptionError; RunError for a start or a device that cannot be used.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.formats.bundle import Pretrained
        >>> encoder = ViT("nano", channels=1, image_size=28)
        >>> Pretrained(encoder, InputSpec(1, 28, 28, (0.5,), (0.5,))).save("run")
        >>> setup = open_setup("demo", {"init_from": "run", "labels": 100})
        >>> len(setup.train), setup.part, len(setup.test)
        (100, 'test', 1500)
    """
    name = data.name if isinstance(data, Dataset) else str(data)
    given = {each: value for each, value in given.items() if value not in (None, AUTO)} | {"data": name}
    for option in ("image_size", "channels", "crop_pct"):
        if option in given:
            do = "leave it out, or use kakera finetune"
            raise OptionError(option, got=given[option], expected="nothing: the encoder has its own", do=do)
    options = build(FitOptions, given)
    if not options.init_from:
        raise OptionError("init_from", got="nothing", expected="a run folder", do="add --init-from RUN")
    if options.device not in (AUTO, "cpu"):  # also if no token must be computed
        from kakera.training.device import device_of

        device_of(options.device)
    encoder = open_encoder(options.init_from, loaded)
    if options.pool != AUTO and options.pool not in encoder.pools and not encoder.class_tokens:
        got, expected = f"{options.pool} for an encoder without class token", " or ".join(encoder.pools)
        raise OptionError("pool", got=got, expected=expected, do="choose one of these, or leave it out")
    dataset = _opened(data, options, encoder.inputs)
    if dataset.regression and options.head not in (AUTO, "ridge", "attentive"):
        expected = "ridge or attentive for numbers to predict"
        raise OptionError("head", got=options.head, expected=expected, do="leave it out")
    require_labels(dataset)
    train = labelled_part(dataset, "train")
    assert train.labels is not None
    if options.labels:
        train = train.take(few(train.labels, options.labels, options.label_seed))
    require_labels_of_classes(train)
    part, test = held_out(dataset)
    if options.head == "attentive":
        require_patch_tokens(options.pool, encoder, train, test)
    pairs = leak_warning(leaks(train, test), measured_part(dataset), dataset.kind)
    keys = tuple(file_keys(train)), tuple(file_keys(test))
    return FitSetup(options, dataset, encoder, train, part, test, *keys, tuple(pairs))


def _opened(data: str | Path | Dataset, options: FitOptions, start: InputSpec) -> Dataset:
    ranges = value_ranges(options, start)
    channels = None if start.sound else start.channels
    return read_for(open_files(data, options, start, ranges, channels), start)


def require_labels_of_classes(
    train: Dataset, do: str = "label files of a second class, or use more --labels"
) -> None:
    """Raise DataError if all labels are of one class, or if all numbers are the same.

    `do` tells the user what to do about labels of one class.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> require_labels_of_classes(open_dataset("demo").part("train"))
    """
    labels = train.labels
    if labels is None or train.multi_label:
        return
    if train.regression:
        mean, std = labels.mean(axis=0), labels.std(axis=0)
        if not (std > np.maximum(1e-30, 1e-9 * np.abs(mean))).all():
            got = f"the same number for all {len(labels)} training files"
            got = got if len(labels) > 1 else "a number for only 1 training file"
            raise DataError("labels", got=got, expected="different numbers", do="check the labels")
        return
    known = np.unique(labels)
    if len(known) < 2:
        name = train.classes[int(known[0])]
        many = f"{len(labels)} training labels, all" if len(labels) > 1 else "1 training label, it is"
        got = f"{many} of class {name}"
        raise DataError(train.name, got=got, expected="labels of two or more classes", do=do)
