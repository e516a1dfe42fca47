"""Arrays that stay in their file: each process maps them for itself, and none is pickled by value."""

from __future__ import annotations

import math
import os
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError


class MappedArray:
    """An array in C order that begins at byte `offset` of a file, and is read when it is looked at.

    `state` is that of the file when it was opened (`state_of`): another process maps no other one. A file
    that is written over while it is mapped gives other values, and one that is cut short ends the process
    with SIGBUS: leave it alone as long as anything reads it. One that is replaced by a rename does no harm.
    """

    def __init__(
        self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], state: tuple[int, int]
    ) -> None:
        self.path, self.offset, self.shape, self.dtype, self.state = path, offset, shape, dtype, state
        self._values: NDArray[Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_values": None}

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def values(self) -> NDArray[Any]:
        """The array, read-only. Raises DataError where the file is not as it was, or cannot be mapped."""
        if self._values is None:
            self._values = self._mapped()
        return self._values

    def reshape(self, shape: tuple[int, ...]) -> MappedArray:
        """The same values in another shape, in the same map."""
        found = MappedArray(self.path, self.offset, shape, self.dtype, self.state)
        found._values = self.values.reshape(shape)
        return found

    def _mapped(self) -> NDArray[Any]:
        try:
            with self.path.open("rb") as file:
                end = self.offset + math.prod(self.shape) * self.dtype.itemsize
                if state_of(file) == self.state and end <= self.state[0]:
                    return np.asarray(np.memmap(file, self.dtype, "r", self.offset, self.shape))
            got = "another size or time of change"
        except (OSError, ValueError) as error:
            got = str(error)
        raise DataError(
            str(self.path),
            got=got,
            expected="the file as it was opened, to be mapped",
            do="leave it as it is while it is read, or start again",
        )


def state_of(file: BufferedReader) -> tuple[int, int]:
    """The size of a file in bytes and when it was changed, in nanoseconds."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns
