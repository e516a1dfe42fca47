"""A data set: pictures or recordings, what is known of each, and nothing about where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.recordings import Sounds
from kakera.data.blocks import Blocks
from kakera.data.images.decode import decode
from kakera.data.images.value_range import Ranges
from kakera.data.names import taken
from kakera.data.preload.kept import KeptPictures
from kakera.data.shards.index import PICTURES, RECORDINGS
from kakera.data.shards.reader import ShardPictures
from kakera.errors import DataError, UnreadableFileError, printable, sentence

PARTS = ("train", "val", "test")


class Pictures(Protocol):
    """What can be read one by one, in memory or not: pictures, or `Sounds`, which become pictures later."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> NDArray[Any]:
        """(H, W, C) in 0 … 255; of a recording its waveform. Raises UnreadableFileError."""
        ...

    def name(self, index: int) -> str:
        """What to call the picture in a message: a path, or "train-images[12]"."""
        ...


class ArrayPictures:
    """Pictures as pixels: one array (n, H, W, C), `Blocks` of them, or arrays (H, W, C) of any size.

    They are in memory or mapped. `rows` picks some of them without a copy; `names` belong to the stored
    arrays, not to the rows.
    """

    def __init__(
        self,
        arrays: NDArray[np.uint8] | Sequence[NDArray[np.uint8]] | Blocks,
        names: Sequence[str] = (),
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.arrays = arrays
        self.names = names
        self.rows = np.arange(len(arrays)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> NDArray[np.uint8]:
        """(H, W, C), a view of what is stored."""
        return self.arrays[self.rows[index]]

    def name(self, index: int) -> str:
        """The name given at birth, or the number in the array."""
        row = int(self.rows[index])
        return self.names[row] if self.names else f"picture[{row}]"

    @property
    def block(self) -> NDArray[np.uint8] | Blocks | None:
        """All the stored pictures (n, H, W, C), to be indexed by rows; None where their sizes differ."""
        if isinstance(self.arrays, Blocks):
            return self.arrays if self.arrays.same else None
        return self.arrays if isinstance(self.arrays, np.ndarray) else None

    @property
    def mapped(self) -> bool:
        """Whether they lie in files, and take no memory that the system could not have back."""
        return isinstance(self.arrays, Blocks) and self.arrays.mapped


class FilePictures:
    """Pictures on disk, decoded each time they are read; `ranges` say what is black and white of deep ones.

    `clipped` counts, by file, the values that lie outside, of the pictures read by this process.
    """

    def __init__(self, paths: Sequence[Path], channels: int, ranges: Ranges = ()) -> None:
        self.paths, self.channels, self.ranges = paths, channels, ranges
        self.clipped: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> NDArray[np.uint8]:
        """(H, W, C). Raises UnreadableFileError."""
        path = self.paths[index]
        return decode(
            path, self.channels, ranges=self.ranges, clipped=lambda n: self.clipped.update({str(path): n})
        )

    def name(self, index: int) -> str:
        """The path, in letters that can be written."""
        return printable(self.paths[index])


class ChosenPictures:
    """Some of the pictures of another source, in a chosen order."""

    def __init__(self, pictures: Pictures, rows: NDArray[np.int64]) -> None:
        self.pictures = pictures
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> NDArray[Any]:
        """(H, W, C). Raises UnreadableFileError."""
        return self.pictures.read(int(self.rows[index]))

    def name(self, index: int) -> str:
        """The name in the other source."""
        return self.pictures.name(int(self.rows[index]))


def choose(pictures: Pictures, rows: NDArray[np.int64]) -> Pictures:
    """The pictures at `rows`, without reading or copying any."""
    if isinstance(pictures, ArrayPictures):
        return ArrayPictures(pictures.arrays, pictures.names, pictures.rows[rows])
    if isinstance(pictures, Sounds | ShardPictures | KeptPictures):
        return pictures.take(rows)
    if isinstance(pictures, FilePictures):
        return FilePictures(taken(pictures.paths, rows), pictures.channels, pictures.ranges)
    return ChosenPictures(pictures, rows)


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
    left: tuple[tuple[str, str], ...] = ()
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
                sentence(
                    self.name,
                    got=f"{count} pictures, {len(self.split)} splits and {labels} labels",
                    expected="one split and one label for each picture",
                    do="make the lengths equal",
                )
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
    def several(self) -> bool:
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
        if not self.several:
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
        return replace(self, pictures=choose(self.pictures, rows), split=self.split[rows], labels=labels)
