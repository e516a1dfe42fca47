"""Encoded files in tables, read in any order; each process keeps the row groups that it read last."""

from __future__ import annotations

import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from kakera.data.arrow.tables import Table
from kakera.data.audio.source import AudioSource, ViewFile
from kakera.data.images.decode import decode, header
from kakera.data.images.value_range import Ranges
from kakera.data.names import Names
from kakera.data.pictures import Pictures
from kakera.errors import UnreadableFileError

HELD = 256 << 20  # bytes of row groups that a process keeps; at least the one that it reads
EXACT = 1 << 30  # bytes of tables up to which the record of a file is that of its own bytes
RECORD = np.dtype([("length", "<i8"), ("crc", "<i8")])
PIECE = 4096


class StoredFiles:
    """The encoded files of several tables, one table after another.

    `names` has the name of each, and `paths` its path in the table, "" for none. A file without bytes is read
    from its path, as `datasets` does. See `kakera.data.arrow.open.open_tables`.
    """

    def __init__(self, tables: Sequence[Table], names: Names, paths: Names) -> None:
        self.tables, self.names, self.paths = tables, names, paths
        self.ends = np.cumsum([len(table) for table in tables])
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._records: NDArray[Any] | None = None
        self._groups: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __len__(self) -> int:
        return len(self.names)

    def view(self, row: int) -> memoryview:
        """Return the bytes of a file, without a copy. Raises UnreadableFileError, and DataError for a table.

        See `kakera.data.arrow.open.open_tables`.
        """
        table, number, place = self.table_of(row)
        group = table.group_of(place)
        value = self._group(number, group)[place - int(table.starts[group])]
        if value.is_valid:
            return memoryview(value.as_buffer()).cast("B")
        path = self.paths[row]
        if not path:
            raise UnreadableFileError(self.names[row], "got no bytes in this row, expected a file")
        try:  # datasets' to_parquet may write only the paths
            return memoryview((table.path.parent / path).read_bytes())
        except OSError as error:
            reason = f"got only the path {path} ({error.strerror}), expected the bytes of a file"
            raise UnreadableFileError(self.names[row], reason) from error

    def table_of(self, row: int) -> tuple[Table, int, int]:
        """Return the table of a row, its number, and the number of the row in it. See `view`."""
        number = int(np.searchsorted(self.ends, row, side="right"))
        return self.tables[number], number, row - (int(self.ends[number - 1]) if number else 0)

    def _group(self, number: int, group: int) -> Any:
        with self._lock:  # threads that read neighbours wait for one reading of their row group
            key = number, group
            if key in self._groups:
                self._groups.move_to_end(key)
                return self._groups[key]
            self._groups[key] = self.tables[number].load(group)
            sizes = {each: values.nbytes for each, values in self._groups.items()}
            while len(sizes) > 1 and sum(sizes.values()) > HELD:
                oldest, _ = self._groups.popitem(last=False)
                del sizes[oldest]
            return self._groups[key]

    def records(self) -> NDArray[Any]:
        """Return length and checksum of each file (n,), for the check that data did not change.

        Tables of more than 1 GB are not read: all files of a table have its size, and a checksum of 8 KB.
        See `kakera.data.arrow.open.open_tables`.
        """
        if self._records is None:
            self._records = self._measured()
        return self._records

    def _measured(self) -> NDArray[Any]:
        found = np.zeros(len(self), RECORD)
        if sum(table.size for table in self.tables) > EXACT:
            first = 0
            for table in self.tables:
                found[first : first + len(table)] = table.size, _checksum(table.path, table.size)
                first += len(table)
            return found
        for row in range(len(self)):
            try:
                content = self.view(row)
            except UnreadableFileError:
                continue
            found[row] = len(content), zlib.crc32(content)
        return found


def _checksum(path: Path, size: int) -> int:
    """Return the CRC-32 of 4 KB from the middle and 4 KB from the end, where Parquet has its statistics."""
    with path.open("rb", buffering=0) as file:
        file.seek(size // 2)
        middle = file.read(PIECE)
        file.seek(max(0, size - PIECE))
        return zlib.crc32(middle + file.read(PIECE))


class StoredPictures(Pictures):
    """Pictures in tables, with 1 or 3 channels; `rows` selects some of them.

    See `kakera.data.arrow.open.open_tables`.
    """

    on_disk = True

    def __init__(
        self, files: StoredFiles, channels: int, rows: NDArray[np.int64], ranges: Ranges = ()
    ) -> None:
        self.files, self.channels, self.rows, self.ranges = files, channels, rows, ranges

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a picture to uint8 (H, W, C). Raises UnreadableFileError, and DataError for a table."""
        try:
            return decode(self.content(index), self.channels, ranges=self.ranges)
        except UnreadableFileError as error:
            raise UnreadableFileError(self.name(index), error.reason) from error

    def name(self, index: int) -> str:
        """Return the table, the row in it, and the path that the table has for it."""
        return self.files.names[int(self.rows[index])]

    def take(self, rows: NDArray[np.int64]) -> StoredPictures:
        """Return the pictures at `rows`."""
        return StoredPictures(self.files, self.channels, self.rows[rows], self.ranges)

    def with_channels(self, channels: int) -> StoredPictures:
        """Return the same pictures, decoded with 1 or 3 channels."""
        return StoredPictures(self.files, channels, self.rows, self.ranges)

    def with_ranges(self, ranges: Ranges) -> StoredPictures:
        """Return the same pictures, decoded with these ranges."""
        return StoredPictures(self.files, self.channels, self.rows, ranges)

    def size(self, index: int) -> tuple[int, int]:
        """Return (height, width) from the header. Raises as `read`."""
        return self._header(index)[:2]

    def depth(self, index: int) -> int:
        """Return 1 for grey, 3 for colour, or the channels of a TIFF, from the header. Raises as `read`."""
        return self._header(index)[2]

    def _header(self, index: int) -> tuple[int, int, int]:
        try:
            return header(self.content(index))
        except UnreadableFileError as error:
            raise UnreadableFileError(self.name(index), error.reason) from error

    def decoded_pixels(self, index: int) -> int:
        """Return the number of pixels, from the header. Raises as `read`."""
        height, width = self.size(index)
        return height * width

    def has_file(self, index: int) -> bool:
        """Return True."""
        return True

    def content(self, index: int) -> bytes:
        """Return the bytes of the file. Raises UnreadableFileError, and DataError for a table."""
        return bytes(self.files.view(int(self.rows[index])))

    def records(self) -> NDArray[Any]:
        """Return length and checksum of each picture."""
        return self.files.records()[self.rows]


@dataclass(frozen=True, slots=True)
class StoredRecording(AudioSource):
    """A recording in a table. It has no bytes of its own. See `StoredFiles`."""

    files: StoredFiles
    row: int

    def open(self) -> BinaryIO:
        """Return a file that copies only the bytes that are read. Raises as `StoredFiles.view`."""
        return cast(BinaryIO, ViewFile(self.files.view(self.row)))

    def identity(self) -> str:
        """Return the table, its size and time, and the row, as one text."""
        table = self.files.table_of(self.row)[0].path
        state = os.stat(table)  # noqa: PTH116  # Path.stat is ten times as slow
        place = os.path.abspath(table)  # noqa: PTH100  # links stay
        return f"{place} {state.st_size} {state.st_mtime_ns} {self.row}"

    def check(self) -> None:
        """Do nothing: Parquet has checksums of its own, if its writer wrote them."""

    def __str__(self) -> str:
        return self.files.names[self.row]
