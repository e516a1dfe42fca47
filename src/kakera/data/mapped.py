"""Arrays in files that are mapped into memory: each process maps them itself; pickling copies no values."""

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
    """An array in C order that starts at byte `offset` of a file; its values are read at access.

    `state` is the state of the file when it was opened (see `state_of`), so that no process maps a changed
    file. Do not change the file while it is mapped: if it is overwritten, the values change; if it is
    truncated, the process ends with SIGBUS. Replacing the file by a rename is safe.

    Example:

        >>> np.arange(6, dtype=np.uint8).tofile("values.bin")
        >>> with Path("values.bin").open("rb") as file:
        ...     state = state_of(file)
        >>> MappedArray(Path("values.bin"), 2, (2, 2), np.dtype(np.uint8), state).values.tolist()
        [[2, 3], [4, 5]]
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
        """The array, read-only. Raises DataError if the file has changed or cannot be mapped."""
        if self._values is None:
            self._values = self._mapped()
        return self._values

    def reshape(self, shape: tuple[int, ...]) -> MappedArray:
        """Return the same values in another shape, without mapping the file again."""
        found = MappedArray(self.path, self.offset, shape, self.dtype, self.state)
        found._values = self.values.reshape(shape)
        return found

    def _mapped(self) -> NDArray[Any]:
        try:
            with self.path.open("rb") as file:
                end = self.offset + math.prod(self.shape) * self.dtype.itemsize
                if state_of(file) == self.state and end <= self.state[0]:
                    return np.asarray(np.memmap(file, self.dtype, "r", self.offset, self.shape))
            got = "another size or modification time"
        except (OSError, ValueError) as error:
            got = str(error)
        raise DataError(
            str(self.path),
            got=got,
            expected="the unchanged file",
            do="do not change the file while it is read, or start again",
        )


def state_of(file: BufferedReader) -> tuple[int, int]:
    """Return the size of a file in bytes and its modification time in nanoseconds.

    Example:

        >>> size = Path("a.txt").write_text("text")
        >>> with Path("a.txt").open("rb") as file:
        ...     state_of(file)[0]
        4
    """
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns
