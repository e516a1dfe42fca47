"""A data set: pictures or recordings, what is known of each, and nothing about where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.pictures import Pictures
from kakera.data.sounds import Sounds
from kakera.errors import DataError, UnreadableFileError

if TYPE_CHECKING:
    from kakera.data.images.value_range import Ranges

PARTS = ("train", "val", "test")
PICTURES, RECORDINGS = "pictures", "recordings"  # what a data set is made of


@dataclass(frozen=True, eq=False)
class Dataset:
    """n pictures, the part each belongs to, and their labels where there are any.

    `split` (n,) holds "train", "val" or "test". `labels` is int64 (n,), −1 where a picture has none, or bool
    (n, classes) where a picture may carry several, or none of the classes. `unreadable` are files that are
    already left out.
    """

    name: str
    pictures: Pictures
    channels: int
    split: NDArray[np.str_]
    classes: tuple[str, ...] = ()
    labels: NDArray[Any] | None = None
    unreadable: tuple[UnreadableFileError, ...] = ()
    ranges: Ranges = ()
    """What is black and what is white of deep pictures: measured, or given."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Files beside them that were not opened, and why not; "" of those that are no pictures or recordings."""
    emptied: tuple[str, ...] = ()
    """Folders and classes that have no file left."""
    notes: tuple[str, ...] = ()
    """What was decided about classes and parts, where another might have decided otherwise."""

    def __post_init__(self) -> None:
        count = len(self.pictures)
        labels = count if self.labels is None else len(self.labels)
        if len(self.split) != count or labels != count:
            raise DataError(
                self.name,
                got=f"{count} pictures, {len(self.split)} splits and {labels} labels",
                expected="one split and one label for each picture",
                do="make the lengths equal",
            )

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def sounds(self) -> Sounds | None:
        """The recordings, where the data set is made of recordings."""
        return self.pictures if isinstance(self.pictures, Sounds) else None

    @property
    def kind(self) -> str:
        """What it is made of, in a word: PICTURES or RECORDINGS."""
        return PICTURES if self.sounds is None else RECORDINGS

    @property
    def multi_label(self) -> bool:
        """Whether a picture may carry several labels."""
        return self.labels is not None and self.labels.ndim == 2

    @property
    def labelled(self) -> NDArray[np.int64]:
        """The indices of the pictures whose label is known.

        Where a picture may carry several, one without any carries none of the classes, which is known too;
        but a part in which no picture carries one is not labelled.
        """
        if self.labels is None:
            return np.empty(0, dtype=np.int64)
        if not self.multi_label:
            return np.flatnonzero(self.labels >= 0)
        known = [part for part in PARTS if self.labels[self.split == part].any()]
        return np.flatnonzero(np.isin(self.split, known))

    def part(self, name: str) -> Dataset:
        """The pictures of one part: "train", "val" or "test"; there may be none."""
        assert name in PARTS, name
        return self.take(np.flatnonzero(self.split == name))

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """The pictures at `indices`, in that order, without a copy of them."""
        rows = np.asarray(indices, dtype=np.int64)
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, pictures=self.pictures.take(rows), split=self.split[rows], labels=labels)

    def with_channels(self, channels: int) -> Dataset:
        """Return the same with 1 (grey) or 3 (colour) channels. Raises DataError where either has others."""
        if channels == self.channels:
            return self
        if self.sounds is not None:
            raise DataError(
                self.name, got=f"recordings and {channels} channels", expected="1", do="leave it out"
            )
        if {channels, self.channels} != {1, 3}:
            got = f"pictures of {self.channels} channel{'' if self.channels == 1 else 's'}"
            do = "name others, or leave out --channels"
            raise DataError(self.name, got=got, expected=channels, do=do)
        return replace(self, pictures=self.pictures.with_channels(channels), channels=channels)

    def with_ranges(self, ranges: Ranges) -> Dataset:
        """Return the same, read with these ranges; recordings and pictures in memory as they are."""
        if ranges == self.ranges == self.pictures.ranges:
            return self
        found = self.pictures.with_ranges(ranges)
        return self if found is self.pictures else replace(self, pictures=found, ranges=ranges)
