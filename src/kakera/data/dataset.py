"""A data set: pictures or recordings with their labels and splits, independent of their source."""

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
PICTURES, RECORDINGS = "pictures", "recordings"  # the kinds of data sets


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set of n pictures or recordings, with splits and labels.

    `pictures` are the pictures or recordings, and `channels` is their number of channels. `split` (n,)
    contains "train", "val" or "test". `labels` is int64 (n,) with −1 for unlabelled pictures, or bool
    (n, classes) if multi-label; None without labels. For regression, `labels` are the numbers to predict,
    float (n,) or (n, targets), with NaN for unlabelled pictures. `classes` are the names of the classes, or
    of the targets. `unreadable` are the errors of files that were removed from the data set. Raises DataError
    if the lengths differ, or if a target is infinite.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.zeros((3, 8, 8, 1), np.uint8))
        >>> split = np.array(["train", "train", "test"])
        >>> data = Dataset("digits", pictures, 1, split, ("a", "b"), np.array([0, 1, 0]))
        >>> len(data.part("train")), data.kind, data.multi_label
        (2, 'pictures', False)
        >>> Dataset("angles", pictures, 1, split, labels=np.array([0.5, -3.0, np.nan])).labelled
        array([0, 1])
    """

    name: str
    pictures: Pictures
    channels: int
    split: NDArray[np.str_]
    classes: tuple[str, ...] = ()
    labels: NDArray[Any] | None = None
    unreadable: tuple[UnreadableFileError, ...] = ()
    ranges: Ranges = ()
    """The values of black and white in deep pictures, measured or from an option."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Skipped files and the reasons; the reason is "" for files that are not pictures or recordings."""
    emptied: tuple[str, ...] = ()
    """Folders and classes without any readable file."""
    notes: tuple[str, ...] = ()
    """Notes about automatic decisions on classes and splits."""

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
        if self.regression:
            self._set_targets()

    def _set_targets(self) -> None:
        """Store the targets as float64 (n, targets), with a name for each. Raises DataError."""
        assert self.labels is not None
        targets = self.labels.astype(np.float64)
        targets = targets[:, None] if targets.ndim == 1 else targets
        count = targets.shape[1]
        names = self.classes or tuple(f"target {n + 1}" if count > 1 else "target" for n in range(count))
        if np.isinf(targets).any() or len(names) != count:
            got = f"{count} targets named {', '.join(names)}" + ", some infinite" * bool(
                np.isinf(targets).any()
            )
            do = "correct the labels; a missing one is NaN"
            raise DataError(
                self.name, got=got, expected="finite numbers, and one name for each target", do=do
            )
        object.__setattr__(self, "labels", targets)
        object.__setattr__(self, "classes", names)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def sounds(self) -> Sounds | None:
        """The recordings; None for a data set of pictures."""
        return self.pictures if isinstance(self.pictures, Sounds) else None

    @property
    def kind(self) -> str:
        """The kind of data: "pictures" or "recordings"."""
        return PICTURES if self.sounds is None else RECORDINGS

    @property
    def multi_label(self) -> bool:
        """True if a picture can have several labels."""
        return self.labels is not None and self.labels.dtype == np.bool_

    @property
    def regression(self) -> bool:
        """True if the labels are numbers to predict, float64 (n, targets)."""
        return self.labels is not None and self.labels.dtype.kind == "f"

    @property
    def labelled(self) -> NDArray[np.int64]:
        """The indices of the labelled pictures, int64 (k,).

        In a multi-label data set, a picture without a label counts as labelled: it belongs to no class. But
        if no picture of a split has a label, the whole split counts as unlabelled.
        """
        if self.labels is None:
            return np.empty(0, dtype=np.int64)
        if self.regression:
            return np.flatnonzero(np.isfinite(self.labels).all(axis=1))
        if not self.multi_label:
            return np.flatnonzero(self.labels >= 0)
        known = [part for part in PARTS if self.labels[self.split == part].any()]
        return np.flatnonzero(np.isin(self.split, known))

    def part(self, name: str) -> Dataset:
        """Return the pictures of one split: "train", "val" or "test". The result can be empty."""
        assert name in PARTS, name
        return self.take(np.flatnonzero(self.split == name))

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """Return the pictures at `indices`, in that order, without copying them."""
        rows = np.asarray(indices, dtype=np.int64)
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, pictures=self.pictures.take(rows), split=self.split[rows], labels=labels)

    def with_channels(self, channels: int) -> Dataset:
        """Return the data set with 1 (grey) or 3 (colour) channels.

        Raises DataError for recordings, and for other numbers of channels.
        """
        if channels == self.channels:
            return self
        if self.sounds is not None:
            raise DataError(
                self.name, got=f"recordings and {channels} channels", expected="1", do="leave out --channels"
            )
        if {channels, self.channels} != {1, 3}:
            got = f"pictures of {self.channels} channel{'' if self.channels == 1 else 's'}"
            do = "use other pictures, or leave out --channels"
            raise DataError(self.name, got=got, expected=channels, do=do)
        return replace(self, pictures=self.pictures.with_channels(channels), channels=channels)

    def with_ranges(self, ranges: Ranges) -> Dataset:
        """Return the data set with these value ranges; recordings and pictures in memory stay unchanged."""
        if ranges == self.ranges == self.pictures.ranges:
            return self
        found = self.pictures.with_ranges(ranges)
        return self if found is self.pictures else replace(self, pictures=found, ranges=ranges)
