"""Pictures in arrays, and pictures in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.data.blocks import Blocks, shape_of
from kakera.data.images.decode import decode, header, with_depth
from kakera.data.images.value_range import Ranges
from kakera.data.names import Paths, take_rows
from kakera.data.pictures import Pictures
from kakera.errors import UnreadableFileError, printable


class ArrayPictures(Pictures):
    """Pictures in arrays, in memory or mapped.

    `arrays` is one array uint8 (n, H, W, C), `Blocks` of such arrays, or a sequence of arrays (H, W, C) of
    any size. `names` belong to the stored arrays, not to the rows. `rows` selects pictures without a copy;
    the default selects all.

    Example:

        >>> pictures = ArrayPictures(np.zeros((3, 8, 8, 1), np.uint8), ["a", "b", "c"])
        >>> chosen = pictures.take(np.array([2, 0]))
        >>> len(chosen), chosen.name(0), chosen.read(0).shape
        (2, 'c', (8, 8, 1))
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
        """Return a picture (H, W, C), a view of the stored array."""
        return self.arrays[self.rows[index]]

    def name(self, index: int) -> str:
        """Return the name of a picture, or "picture[NUMBER]" without names."""
        row = int(self.rows[index])
        return self.names[row] if self.names else f"picture[{row}]"

    def take(self, rows: NDArray[np.int64]) -> ArrayPictures:
        """Return the pictures at `rows`, without copying the arrays."""
        return ArrayPictures(self.arrays, self.names, self.rows[rows])

    def with_channels(self, channels: int) -> ArrayPictures:
        """Convert to 1 or 3 channels: at once if the arrays are in memory, otherwise at each read."""
        arrays = self.arrays
        if isinstance(arrays, Blocks):
            converted = arrays.converted(channels)
        elif isinstance(arrays, np.ndarray):
            converted = with_depth(arrays, channels)
        else:
            converted = [with_depth(array, channels) for array in arrays]
        return ArrayPictures(converted, self.names, self.rows)

    def shape(self, index: int) -> tuple[int, ...]:
        """Return (H, W, C) of a picture, without reading a mapped one."""
        return shape_of(self.arrays, int(self.rows[index]))

    @property
    def block(self) -> NDArray[np.uint8] | Blocks | None:
        """The stored pictures (n, H, W, C), for indexing by `rows`; None if their sizes differ."""
        if isinstance(self.arrays, Blocks):
            return self.arrays if self.arrays.same else None
        return self.arrays if isinstance(self.arrays, np.ndarray) else None

    @property
    def common_size(self) -> tuple[int, int] | None:
        """(height, width) of all stored pictures; None if their sizes differ."""
        return None if self.block is None else self.block.shape[1:3]

    def stack(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pictures at `rows` as one array (k, H, W, C)."""
        return super().stack(rows) if self.block is None else self.block[self.rows[rows]]

    @property
    def mapped(self) -> bool:
        """True if all arrays are mapped files, whose memory the system can free at any time."""
        return isinstance(self.arrays, Blocks) and self.arrays.mapped


class FilePictures(Pictures):
    """Pictures in files, decoded each time they are read.

    `channels` is the number of channels after decoding. `ranges` are the value ranges of deep pictures.

    Example:

        >>> from PIL import Image
        >>> Image.new("RGB", (4, 2), "white").save("white.png")
        >>> pictures = FilePictures([Path("white.png")], channels=1)
        >>> pictures.read(0).shape, pictures.size(0)
        ((2, 4, 1), (2, 4))
    """

    on_disk = True

    def __init__(self, paths: Sequence[Path], channels: int, ranges: Ranges = ()) -> None:
        self.paths, self.channels, self.ranges = paths, channels, ranges
        self._clipped: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a picture to uint8 (H, W, C). Raises UnreadableFileError."""
        path = self.paths[index]
        return decode(
            path, self.channels, ranges=self.ranges, clipped=lambda n: self._clipped.update({str(path): n})
        )

    def name(self, index: int) -> str:
        """Return the path, with an escape for bytes that are not UTF-8."""
        return printable(self.paths[index])

    def names_between(self, start: int, stop: int) -> list[str]:
        """Return the paths from `start` to `stop` − 1, much faster than one by one."""
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
        return FilePictures(take_rows(self.paths, rows), self.channels, self.ranges)

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
        """Return the number of pixels, from the header. Raises UnreadableFileError."""
        height, width = self.size(index)
        return height * width

    def has_file(self, index: int) -> bool:
        """Return True."""
        return True

    def content(self, index: int) -> bytes:
        """Return the bytes of the file. Raises UnreadableFileError."""
        path = self.paths[index]
        try:
            return path.read_bytes()
        except OSError as error:
            raise UnreadableFileError(path, f"got {error.strerror}, expected a picture") from error

    @property
    def clipped(self) -> dict[str, int]:
        """The number of values outside of the ranges, by file, for files that this process has read."""
        return self._clipped
