"""What can be read one by one: the face of all pictures, wherever they are."""

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
    """n pictures in files, in shards or in memory, or recordings (`kakera.data.sounds.Sounds`)."""

    ranges: Ranges = ()
    """What is black and white of deep pictures."""
    paths: Sequence[Any] = ()
    """The file of each, where each is decoded from a file of its own: paths, or of recordings sources."""
    on_disk = False
    """Whether each is decoded every time it is read."""
    in_memory = False
    """Whether they are arrays, which no file stands for; mapped ones count as well."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> NDArray[Any]:
        """Return (H, W, C) in 0 … 255; of a recording its waveform. Raises UnreadableFileError."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return what to call it in a message: a path, or "train-images[12]"."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Pictures:
        """Return those at `rows`, without reading or copying any."""

    @abstractmethod
    def with_channels(self, channels: int) -> Pictures:
        """Return the same with 1 (grey) or 3 (colour) channels; files are converted when they are read."""

    def with_ranges(self, ranges: Ranges) -> Pictures:
        """Return the same, read with these ranges; what is decoded already as it is."""
        return self

    def names_between(self, start: int, stop: int) -> list[str]:
        """Return the names of those from `start` up to `stop`."""
        return [self.name(index) for index in range(start, stop)]

    def location(self, index: int) -> str:
        """Return what an error calls it: its name, or where that is in a shard the shard as well."""
        return self.name(index)

    def title(self, index: int) -> str:
        """Return the name without the folder that it lies in."""
        return Path(self.name(index)).name if self.paths else self.name(index)

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of what `read` gives, where it is known without reading. Raises as `read`."""
        return self.read(index).shape

    def size(self, index: int) -> tuple[int, int]:
        """Return (height, width) of the whole picture, from a header where it has one. Raises as `read`."""
        height, width = self.shape(index)[:2]
        return height, width

    def depth(self, index: int) -> int:
        """Return 1 for grey, 3 for colour, or a TIFF's channels, from a header. Raises as `read`."""
        return self.shape(index)[2]

    def decoded_pixels(self, index: int) -> int:
        """Return how many pixels are decoded to read it; 0 where it has no header. Raises as `read`."""
        return 0

    def has_file(self, index: int) -> bool:
        """Return whether it stands somewhere as a picture file, that is encoded."""
        return False

    def content(self, index: int) -> bytes:
        """Return the bytes that it is stored as. Raises UnreadableFileError, also of what has none."""
        raise UnreadableFileError(self.name(index), "got pixels, expected a file")

    def records(self) -> NDArray[Any] | None:
        """Return what the index of shards holds of each, (n,) of `RECORD`; None of what is in no shard."""
        return None

    def record(self, index: int) -> Any:
        """Return the record of one; None of what is in no shard."""
        return None

    def is_here(self, index: int) -> bool:
        """Return whether it is on this machine, and not still to be fetched."""
        return True

    @property
    def common_size(self) -> tuple[int, int] | None:
        """(height, width) of all arrays in memory; None where these differ, and of what is no array."""
        return None

    def stack(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return (k, H, W, C) of pictures of one size. Raises as `read`."""
        return np.stack([self.read(int(row)) for row in rows])

    def center_crop(self, index: int, crop: CenterCrop) -> NDArray[np.uint8]:
        """Return what evaluation sees of the whole picture, (C, H, W). Raises as `read`."""
        return crop(self.read(index))

    @property
    def decoded(self) -> bool:
        """Whether reading decodes nothing."""
        return self.in_memory

    @property
    def mapped(self) -> bool:
        """Whether they lie in files, and take no memory that the system could not have back."""
        return False

    @property
    def clipped(self) -> dict[str, int]:
        """How many values lay outside of the ranges, by file, of those read by this process."""
        return {}

    @property
    def noted(self) -> dict[str, str]:
        """What is unusual, by name, about those that this process has looked into."""
        return {}
