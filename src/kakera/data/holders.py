"""Pictures as arrays, and pictures in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.data.blocks import Blocks, shape_of
from kakera.data.images.decode import decode, header, with_depth
from kakera.data.images.value_range import Ranges
from kakera.data.names import Paths, taken
from kakera.data.pictures import Pictures
from kakera.errors import UnreadableFileError, printable


class ArrayPictures(Pictures):
    """Pictures as pixels: one array (n, H, W, C), `Blocks` of them, or arrays (H, W, C) of any size.

    They are in memory or mapped. `rows` picks some of them without a copy; `names` belong to the stored
    arrays, not to the rows.
    """

    in_memory = True

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
        """Return (H, W, C), a view of what is stored."""
        return self.arrays[self.rows[index]]

    def name(self, index: int) -> str:
        """Return the name given at birth, or the number in the array."""
        row = int(self.rows[index])
        return self.names[row] if self.names else f"picture[{row}]"

    def take(self, rows: NDArray[np.int64]) -> ArrayPictures:
        """Return the same arrays, other rows."""
        return ArrayPictures(self.arrays, self.names, self.rows[rows])

    def with_channels(self, channels: int) -> ArrayPictures:
        """Return them converted: now where they are in memory, else when they are read."""
        arrays = self.arrays
        if isinstance(arrays, Blocks):
            converted = arrays.converted(channels)
        elif isinstance(arrays, np.ndarray):
            converted = with_depth(arrays, channels)
        else:
            converted = [with_depth(array, channels) for array in arrays]
        return ArrayPictures(converted, self.names, self.rows)

    def shape(self, index: int) -> tuple[int, ...]:
        """Return (H, W, C), also of a mapped one without reading it."""
        return shape_of(self.arrays, int(self.rows[index]))

    @property
    def block(self) -> NDArray[np.uint8] | Blocks | None:
        """All the stored pictures (n, H, W, C), to be indexed by rows; None where their sizes differ."""
        if isinstance(self.arrays, Blocks):
            return self.arrays if self.arrays.same else None
        return self.arrays if isinstance(self.arrays, np.ndarray) else None

    @property
    def common_size(self) -> tuple[int, int] | None:
        """(height, width) of all the stored pictures; None where these differ."""
        return None if self.block is None else self.block.shape[1:3]

    def stack(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (k, H, W, C), copied at once."""
        return super().stack(rows) if self.block is None else self.block[self.rows[rows]]

    @property
    def mapped(self) -> bool:
        """Whether they lie in files, and take no memory that the system could not have back."""
        return isinstance(self.arrays, Blocks) and self.arrays.mapped


class FilePictures(Pictures):
    """Pictures on disk, decoded each time they are read; `ranges` are those of deep ones."""

    on_disk = True

    def __init__(self, paths: Sequence[Path], channels: int, ranges: Ranges = ()) -> None:
        self.paths, self.channels, self.ranges = paths, channels, ranges
        self._clipped: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return (H, W, C). Raises UnreadableFileError."""
        path = self.paths[index]
        return decode(
            path, self.channels, ranges=self.ranges, clipped=lambda n: self._clipped.update({str(path): n})
        )

    def name(self, index: int) -> str:
        """Return the path, in letters that can be written."""
        return printable(self.paths[index])

    def names_between(self, start: int, stop: int) -> list[str]:
        """Return the paths from `start` up to `stop`, in a fraction of the time that one by one takes."""
        if not isinstance(self.paths, Paths):
            return super().names_between(start, stop)
        texts = self.paths[start:stop].texts()
        try:
            "".join(texts).encode()
        except UnicodeEncodeError:
            return [*map(printable, texts)]
        return texts

    def take(self, rows: NDArray[np.int64]) -> FilePictures:
        """Return the files at `rows`."""
        return FilePictures(taken(self.paths, rows), self.channels, self.ranges)

    def with_channels(self, channels: int) -> FilePictures:
        """Return the same files, decoded with 1 or 3 channels."""
        return FilePictures(self.paths, channels, self.ranges)

    def with_ranges(self, ranges: Ranges) -> FilePictures:
        """Return the same files, decoded with these ranges."""
        return FilePictures(self.paths, self.channels, ranges)

    def size(self, index: int) -> tuple[int, int]:
        """Return (height, width) from the header. Raises UnreadableFileError."""
        return header(self.paths[index])[:2]

    def depth(self, index: int) -> int:
        """Return 1 for grey, 3 for colour, or a TIFF's channels, from the header."""
        return header(self.paths[index])[2]

    def decoded_pixels(self, index: int) -> int:
        """Return how many pixels the header says. Raises UnreadableFileError."""
        height, width = self.size(index)
        return height * width

    def has_file(self, index: int) -> bool:
        """Return True."""
        return True

    def content(self, index: int) -> bytes:
        """Return what is in the file. Raises UnreadableFileError."""
        path = self.paths[index]
        try:
            return path.read_bytes()
        except OSError as error:
            raise UnreadableFileError(path, f"got {error.strerror}, expected a picture") from error

    @property
    def clipped(self) -> dict[str, int]:
        """How many values lay outside of the ranges, by file, of those read by this process."""
        return self._clipped
