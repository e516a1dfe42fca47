"""Pictures in several arrays, used as one sequence without copies."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.images.decode import with_depth
from kakera.data.mapped import MappedArray

Block = NDArray[np.uint8] | MappedArray
"""An array of pictures (n, H, W, C), in memory or mapped."""


class Blocks:
    """The pictures of one or more arrays (n, H, W, C), which can differ in n, H and W.

    `depths` are numbers of channels. Each picture is converted to these, one after another, when it is read.

    Example:

        >>> blocks = Blocks([np.zeros((2, 8, 8, 1), np.uint8), np.zeros((3, 4, 6, 1), np.uint8)])
        >>> len(blocks), blocks[2].shape, blocks.same
        (5, (4, 6, 1), False)
    """

    def __init__(self, parts: Sequence[Block], depths: tuple[int, ...] = ()) -> None:
        self.parts, self.depths = parts, depths
        self.ends = [*accumulate(len(part) for part in parts)]

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, row: int | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return one picture (H, W, C), a view if possible, or a copy of several (k, H, W, C) of one size."""
        if isinstance(row, np.ndarray):
            return self._several(row)
        part, place = self._place(row)
        return self._converted(_values(part)[place])

    @property
    def same(self) -> bool:
        """True if all pictures have the same size."""
        return len({part.shape[1:] for part in self.parts}) == 1

    @property
    def mapped(self) -> bool:
        """True if none of the arrays is in memory."""
        return all(isinstance(part, MappedArray) for part in self.parts)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, H, W, C) of all pictures; only correct if they have the same size."""
        return len(self), *self.shape_of(0)

    def shape_of(self, row: int) -> tuple[int, int, int]:
        """Return (H, W, C) of one picture, without reading it."""
        height, width, channels = self._place(row)[0].shape[1:]
        return height, width, self.depths[-1] if self.depths else channels

    def converted(self, channels: int) -> Blocks:
        """Convert to 1 or 3 channels: at once if all arrays are in memory, otherwise at each read."""
        if any(isinstance(part, MappedArray) for part in self.parts):
            return Blocks(self.parts, (*self.depths, channels))
        return Blocks([with_depth(_values(part), channels) for part in self.parts])

    def _place(self, row: int) -> tuple[Block, int]:
        """Return the array of a picture, and its number in that array. Raises IndexError."""
        row = range(len(self))[row]
        number = bisect_right(self.ends, row)
        return self.parts[number], row - (self.ends[number - 1] if number else 0)

    def _several(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        numbers = np.searchsorted(self.ends, rows, side="right")
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for number in np.unique(numbers):
            here = numbers == number
            start = self.ends[number - 1] if number else 0
            found[here] = self._converted(_values(self.parts[number])[rows[here] - start])
        return found

    def _converted(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        for channels in self.depths:
            values = with_depth(values, channels)
        return values


def shape_of(arrays: NDArray[Any] | Sequence[NDArray[Any]] | Blocks, row: int) -> tuple[int, ...]:
    """Return the shape of one array, without reading it if it is mapped.

    Example:

        >>> shape_of(np.zeros((3, 8, 4, 1), np.uint8), 0)
        (8, 4, 1)
    """
    return arrays.shape_of(row) if isinstance(arrays, Blocks) else arrays[row].shape


def _values(part: Block) -> NDArray[np.uint8]:
    return part.values if isinstance(part, MappedArray) else part
