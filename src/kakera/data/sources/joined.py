"""Pictures that were given in memory, and pictures of several sources one after another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.source import Content
from kakera.data.dataset import FilePictures, Pictures
from kakera.data.images.decode import decode
from kakera.data.images.value_range import Ranges
from kakera.data.sources.items import Picture
from kakera.errors import UnreadableFileError


class MemoryPictures:
    """Pictures as pixels, as the bytes of their files, or with the reason why they cannot be read."""

    def __init__(
        self, found: Sequence[Picture], names: Sequence[str], channels: int, ranges: Ranges = ()
    ) -> None:
        self.found, self.names, self.channels, self.ranges = found, names, channels, ranges

    def __len__(self) -> int:
        return len(self.found)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return (H, W, C). Raises UnreadableFileError."""
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
        """Return what to call it in a message."""
        return self.names[index]


class JoinedPictures:
    """The pictures of several sources, in their order."""

    def __init__(self, parts: Sequence[Pictures]) -> None:
        self.parts = parts
        self.ends = np.array([*accumulate(map(len, parts))], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def read(self, index: int) -> NDArray[Any]:
        """Return (H, W, C). Raises UnreadableFileError, which says `name` where parts say more."""
        part, row = self._place(index)
        try:
            return part.read(row)
        except UnreadableFileError as error:
            raise UnreadableFileError(self.name(index), error.reason) from error

    def name(self, index: int) -> str:
        """Return the name in its source."""
        part, row = self._place(index)
        return part.name(row)

    def _place(self, index: int) -> tuple[Pictures, int]:
        number = int(np.searchsorted(self.ends, index, side="right"))
        return self.parts[number], index - (int(self.ends[number - 1]) if number else 0)


def joined(parts: Sequence[Pictures], channels: int) -> Pictures:
    """Return all pictures of the parts; files alone as `FilePictures`, which may be none."""
    files = [part for part in parts if isinstance(part, FilePictures)]
    if len(files) == len(parts):
        if len(files) == 1:
            return FilePictures(files[0].paths, channels, files[0].ranges)
        paths = [*chain.from_iterable(part.paths for part in files)]
        return FilePictures(paths, channels, files[0].ranges if files else ())
    return parts[0] if len(parts) == 1 else JoinedPictures(parts)
