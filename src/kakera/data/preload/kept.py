"""Decoded pictures in memory or in the cache on disk, at the size that training needs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.images.crop import CenterCrop
from kakera.data.images.resize import shrunken
from kakera.data.pictures import Pictures
from kakera.data.preload import cache


class CachedPictures(Pictures):
    """The pictures `rows` of `source`, stored with a shorter side of at most `shorter` pixels.

    Each of `pieces` is either a mapping from row to bytes in memory, or the name of a piece in the cache,
    which each process maps for itself. For each picture of the source, `places` is the number of its piece
    (−1 for none) and `entries` its position in the piece. A picture that is in no piece, or is damaged, is
    decoded again at each read; its values are the same.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> source = ArrayPictures(np.zeros((1, 8, 8, 1), np.uint8), ["a"])
        >>> places, entries = np.array([-1]), np.zeros(1, cache.ENTRY)
        >>> pictures = CachedPictures(source, np.arange(1), 4, None, [], places, entries, channels=1)
        >>> pictures.read(0).shape, pictures.size(0), pictures.decoded
        ((4, 4, 1), (8, 8), False)
    """

    def __init__(
        self,
        source: Pictures,
        rows: NDArray[np.int64],
        shorter: int,
        crop: CenterCrop | None,
        pieces: Sequence[Mapping[int, NDArray[np.uint8]] | str],
        places: NDArray[np.int64],
        entries: NDArray[Any],
        channels: int,
    ) -> None:
        self.source, self.rows, self.shorter, self.crop = source, rows, shorter, crop
        self.pieces, self.places, self.entries, self.channels = pieces, places, entries, channels
        self._start()

    def _start(self) -> None:
        self._maps: dict[int, NDArray[np.uint8]] = {}
        self._whole: dict[int, bool] = {}  # row: True if its checksum is correct

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}, "_whole": {}}

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def decoded(self) -> bool:
        """True if no picture must be decoded."""
        return bool((self.places[self.rows] >= 0).all())

    def take(self, rows: NDArray[np.int64]) -> CachedPictures:
        """Return the pictures at `rows`."""
        chosen = copy.copy(self)
        chosen.rows = self.rows[rows]
        return chosen

    def with_channels(self, channels: int) -> Pictures:
        """Return the source's pictures with other channels, since the stored ones have the old number."""
        return self.source.take(self.rows).with_channels(channels)

    def size(self, index: int) -> tuple[int, int]:
        """Return (height, width) of the original picture, not the stored one. Raises UnreadableFileError."""
        return self.source.size(int(self.rows[index]))

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return the picture, uint8 (H, W, C), scaled down if it is large. Raises UnreadableFileError."""
        row = int(self.rows[index])
        record = self._record(row)
        if record is None:
            return shrunken(self.source.read(row), self.shorter)
        height, width = int(self.entries["height"][row]), int(self.entries["width"][row])
        return record[: height * width * self.channels].reshape(height, width, self.channels)

    def center_crop(self, index: int, crop: CenterCrop) -> NDArray[np.uint8]:
        """Return the centre crop (C, H, W) of the original picture. Raises UnreadableFileError."""
        row = int(self.rows[index])
        record = self._record(row)
        if record is not None and not self.entries["shrunken"][row]:
            whole = self.read(index)
        elif record is not None and crop == self.crop:
            height, width = crop.size
            return record[len(record) - self.channels * height * width :].reshape(
                self.channels, height, width
            )
        else:
            whole = self.source.read(row)
        return crop(whole)

    def name(self, index: int) -> str:
        """Return the name of the picture in the source."""
        return self.source.name(int(self.rows[index]))

    def _record(self, row: int) -> NDArray[np.uint8] | None:
        number = int(self.places[row])
        if number < 0:
            return None
        piece = self.pieces[number]
        if not isinstance(piece, str):
            return piece[row]
        entry = self.entries[row]
        start, length = int(entry["start"]), int(entry["length"])
        try:
            record = self._mapped(number, piece)[start : start + length]
        except (OSError, ValueError):  # the piece was deleted in the meantime
            return None
        if row not in self._whole:
            self._whole[row] = len(record) == length and cache.check(record) == entry["crc"]
        return record if self._whole[row] else None

    def _mapped(self, number: int, name: str) -> NDArray[np.uint8]:
        found = self._maps.get(number)
        if found is None:
            found = self._maps[number] = cache.mapped(name)
        return found
