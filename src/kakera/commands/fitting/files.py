"""The files of a fit: opened once, and read as an encoder needs them. Does not import torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kakera.commands.reading import chosen_kind, label_options, require_same_kind
from kakera.data.dataset import Dataset
from kakera.data.images import value_range
from kakera.data.sources.numbers import with_task
from kakera.data.sources.open import open_dataset
from kakera.inputs import InputSpec
from kakera.option_fields import or_none
from kakera.training.options import DataOptions, FitOptions

if TYPE_CHECKING:
    from kakera.data.images.value_range import Ranges


def value_ranges(options: DataOptions, start: InputSpec) -> Ranges:
    """Return the values of black and white of the options, or else those of the encoder.

    Example:

        >>> value_ranges(FitOptions("scans", bits=12), InputSpec(1, 8, 8, (0.5,), (0.5,)))[0]
        ('uint16', 0.0, 4095.0)
    """
    bits, bounds = or_none(options.bits) or 0, or_none(options.value_range) or ()
    return value_range.range_from_options(bits, bounds) or start.values


def open_files(
    data: str | Path | Dataset,
    options: FitOptions,
    start: InputSpec | None,
    ranges: Ranges,
    channels: int | None = None,
) -> Dataset:
    """Open data with their labels, in their own channels by default; `start` decides between two kinds.

    Raises DataError, OptionError.

    Example:

        >>> len(open_files("demo", FitOptions("demo"), None, ()))
        9500
    """
    labels = label_options(options, data)
    if isinstance(data, Dataset):
        return with_values(with_task(data, labels["task"]), ranges)
    kind = chosen_kind(options, str(data), start)
    return open_dataset(data, channels=channels, seed=options.seed, kind=kind, ranges=ranges, **labels)


def with_values(dataset: Dataset, ranges: Ranges) -> Dataset:
    """Return the data set with these values of black and white in place of its own, if there are any.

    Example:

        >>> with_values(open_dataset("demo"), ()).ranges
        ()
    """
    if not ranges:
        return dataset
    known = {kind for kind, *_ in ranges}
    return dataset.with_ranges((*ranges, *(one for one in dataset.ranges if one[0] not in known)))


def read_for(dataset: Dataset, start: InputSpec) -> Dataset:
    """Return the data set, read with the channels or the spectrogram of an encoder.

    Raises DataError for the other kind of files.

    Example:

        >>> read_for(open_dataset("demo"), InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)).channels
        3
    """
    require_same_kind(dataset, start)
    if dataset.sounds is not None and start.sound is not None:
        return replace(dataset, pictures=dataset.sounds.with_spec(start.sound))
    return dataset.with_channels(start.channels)
