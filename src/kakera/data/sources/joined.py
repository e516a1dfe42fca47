"""Pictures from memory, and the pictures of several sources in one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.source import Content
from kakera.data.holders import FilePictures
from kakera.data.images.decode import decode, with_depth
from kakera.data.images.value_range import Ranges
from kakera.data.names import take_rows
from kakera.data.pictures import Pictures
from kakera.data.sources.items import Picture
from kakera.errors import UnreadableFileError


class MemoryPictures(Pictures):
    """Pictures as pixels, as the bytes of their files, or as the reason why they are unreadable.

    Example:

        >>> pictures = MemoryPictures([np.zeros((8, 6, 1), np.uint8)], ["black"], 1)
        >>> pictures.read(0).shape, pictures.with_channels(3).read(0).shape
        ((8, 6, 1), (8, 6, 3))
    """

    def __init__(
        self, found: Sequence[Picture], names: Sequence[str], channels: int, ranges: Ranges = ()
    ) -> None:
        self.found, self.names, self.channels, self.ranges = found, names, channels, ranges

    def __len__(self) -> int:
        return len(self.found)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return picture `index` as uint8 (H, W, C). Raises UnreadableFileError."""
        one = self.found[index]
        if isinstance(one, UnreadableFileError):
            raise one
        if not isinstance(one, Content):
            return one
        try:
            return decode(one.content, self.channels, ranges=self.ranges)
        except UnreadableFileError as error:
            raise UnreadableFileError(self.name(index), error.reason) from error

    def name(self, index: int) -> str:
        """Return the name of a picture for messages."""
        return self.names[index]

    def take(self, rows: NDArray[np.int64]) -> MemoryPictures:
        """Return the pictures at `rows`; undecoded files stay undecoded."""
        return MemoryPictures(
            take_rows(self.found, rows), take_rows(self.names, rows), self.channels, self.ranges
        )

    def with_channels(self, channels: int) -> MemoryPictures:
        """Return the same pictures with 1 or 3 channels; decoded pictures are converted now."""
        found = [with_depth(one, channels) if isinstance(one, np.ndarray) else one for one in self.found]
        return MemoryPictures(found, self.names, channels, self.ranges)


class JoinedPictures(Pictures):
    """The pictures of several sources, one source after another; `rows` selects some of them.

    Example:

        >>> grey = [MemoryPictures([np.zeros((size, size, 1), np.uint8)], [str(size)], 1) for size in (4, 8)]
        >>> pictures = JoinedPictures(grey)
        >>> len(pictures), pictures.name(1), pictures.read(1).shape
        (2, '8', (8, 8, 1))
    """

    def __init__(self, parts: Sequence[Pictures], rows: NDArray[np.int64] | None = None) -> None:
        self.parts = parts
        self.ends = np.array([*accumulate(map(len, parts))], dtype=np.int64)
        self.rows = np.arange(self.ends[-1]) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> NDArray[Any]:
        """Return picture `index` as uint8 (H, W, C). Raises UnreadableFileError, which contains `name`."""
        part, row = self._place(index)
        try:
            return part.read(row)
        except UnreadableFileError as error:
            raise UnreadableFileError(self.name(index), error.reason) from error

    def name(self, index: int) -> str:
        """Return the name of a picture in its source."""
        part, row = self._place(index)
        return part.name(row)

    def take(self, rows: NDArray[np.int64]) -> JoinedPictures:
        """Return the pictures at `rows`, from all sources."""
        return JoinedPictures(self.parts, self.rows[rows])

    def with_channels(self, channels: int) -> JoinedPictures:
        """Return the same pictures with 1 or 3 channels."""
        return JoinedPictures([part.with_channels(channels) for part in self.parts], self.rows)

    def _place(self, index: int) -> tuple[Pictures, int]:
        row = int(self.rows[index])
        number = int(np.searchsorted(self.ends, row, side="right"))
        return self.parts[number], row - (int(self.ends[number - 1]) if number else 0)


def joined(parts: Sequence[Pictures], channels: int) -> Pictures:
    """Return all pictures of the parts; if all are files, or if there are none, as one `FilePictures`.

    Example:

        >>> from pathlib import Path
        >>> one, two = FilePictures([Path("a.png")], 3), FilePictures([Path("b.png")], 3)
        >>> [path.name for path in joined([one, two], 3).paths]
        ['a.png', 'b.png']
    """
    if all(len(part.paths) == len(part) for part in parts):
        if len(parts) == 1:
            return FilePictures(parts[0].paths, channels, parts[0].ranges)
        paths = [*chain.from_iterable(part.paths for part in parts)]
        return FilePictures(paths, channels, parts[0].ranges if parts else ())
    return parts[0] if len(parts) == 1 else JoinedPictures(parts)
