"""The interface of all collections of pictures, wherever they are stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import UnreadableFileError

if TYPE_CHECKING:  # Pillow is loaded where pictures are decoded, not here
    from kakera.data.images.crop import CenterCrop
    from kakera.data.images.value_range import Ranges


class Pictures(ABC):
    """A collection of n pictures in files, in shards or in memory, or of recordings (see `sounds.Sounds`).

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.zeros((2, 8, 6, 1), np.uint8), ["a", "b"])
        >>> pictures.names_between(0, 2), pictures.size(0), pictures.depth(0)
        (['a', 'b'], (8, 6), 1)
    """

    ranges: Ranges = ()
    """The values of black and white in deep pictures."""
    paths: Sequence[Any] = ()
    """The path of each picture or the source of each recording, if each has its own file; else empty."""
    on_disk = False
    """True if a picture is decoded every time it is read."""
    in_memory = False
    """True if the pictures are arrays without picture files; mapped arrays count too."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> NDArray[Any]:
        """Return a picture (H, W, C) from 0 to 255, or a waveform (samples,). Raises UnreadableFileError."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return the name for messages: a path, or for example "train-images[12]"."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Pictures:
        """Return the pictures at `rows`, without reading or copying any."""

    @abstractmethod
    def with_channels(self, channels: int) -> Pictures:
        """Return the pictures with 1 (grey) or 3 (colour) channels; files are converted at each read."""

    def with_ranges(self, ranges: Ranges) -> Pictures:
        """Return the pictures with these value ranges; decoded pictures stay unchanged."""
        return self

    def names_between(self, start: int, stop: int) -> list[str]:
        """Return the names of the pictures `start` … `stop` − 1."""
        return [self.name(index) for index in range(start, stop)]

    def location(self, index: int) -> str:
        """Return the name for errors, which includes the shard if the picture is in a shard."""
        return self.name(index)

    def title(self, index: int) -> str:
        """Return the name without its folder."""
        return Path(self.name(index)).name if self.paths else self.name(index)

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of the result of `read`, without reading if possible. Raises as `read`."""
        return self.read(index).shape

    def size(self, index: int) -> tuple[int, int]:
        """Return (height, width) of the whole picture, from its header if possible. Raises as `read`."""
        height, width = self.shape(index)[:2]
        return height, width

    def depth(self, index: int) -> int:
        """Return 1 for grey, 3 for colour, or a TIFF's channels, from the header. Raises as `read`."""
        return self.shape(index)[2]

    def decoded_pixels(self, index: int) -> int:
        """Return the number of pixels to decode at a read; 0 without a header. Raises as `read`."""
        return 0

    def has_file(self, index: int) -> bool:
        """Return True if the picture is stored as an encoded picture file, also inside a shard."""
        return False

    def content(self, index: int) -> bytes:
        """Return the bytes of the encoded file. Raises UnreadableFileError, also if there is no file."""
        raise UnreadableFileError(self.name(index), "got pixels, expected a file")

    def records(self) -> NDArray[Any] | None:
        """Return the records of all pictures in the shard index, (n,) of `RECORD`; None without shards."""
        return None

    def record(self, index: int) -> Any:
        """Return the record of one picture in the index of shards; None without shards."""
        return None

    def is_local(self, index: int) -> bool:
        """Return True if the picture is on this machine, False if it must still be downloaded."""
        return True

    @property
    def common_size(self) -> tuple[int, int] | None:
        """(height, width) of all pictures in arrays; None if their sizes differ, and for files."""
        return None

    def stack(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the pictures at `rows`, which must have one size, as (k, H, W, C). Raises as `read`."""
        return np.stack([self.read(int(row)) for row in rows])

    def center_crop(self, index: int, crop: CenterCrop) -> NDArray[np.uint8]:
        """Return the centre crop of a picture, uint8 (C, H, W). Raises as `read`."""
        return crop(self.read(index))

    @property
    def decoded(self) -> bool:
        """True if `read` decodes nothing."""
        return self.in_memory

    @property
    def mapped(self) -> bool:
        """True if all arrays are mapped files, whose memory the system can free at any time."""
        return False

    @property
    def clipped(self) -> dict[str, int]:
        """The number of values outside of the ranges, by file, for files that this process has read."""
        return {}

    @property
    def noted(self) -> dict[str, str]:
        """Notes about unusual files that this process has opened, by name."""
        return {}
