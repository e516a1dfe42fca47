"""Pictures and recordings in tar files, in any order: by an index, from memory maps, pixels uncopied."""

from __future__ import annotations

import mmap
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.source import Stored, ViewFile
from kakera.data.download import fetched
from kakera.data.images.decode import decode, header, with_depth
from kakera.data.images.value_range import Ranges
from kakera.data.pictures import Pictures
from kakera.errors import DataError, UnreadableFileError

OPEN = 256  # shards mapped at a time in a process: each takes a file descriptor


@dataclass(frozen=True)
class Shard:
    """A tar file of `size` bytes, here or, until it is first read, at `address`. `names` as in its index."""

    path: Path
    size: int
    names: bytes
    sha256: str = ""
    address: str = ""


class Shards:
    """The tar files and what this process has open of them; another process starts with nothing open."""

    def __init__(self, shards: Sequence[Shard], table: NDArray[Any], places: NDArray[np.int64]) -> None:
        """`table` holds a `RECORD` for each picture; `places` (n, 2) its shard and its number therein."""
        self.shards, self.table, self.places = shards, table, places
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._maps: OrderedDict[int, mmap.mmap] = OrderedDict()
        self._names: dict[int, list[bytes]] = {}
        self._checked = np.zeros(len(self.table), dtype=bool)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.shards, self.table, self.places

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.shards, self.table, self.places = state
        self._start()

    def view(self, row: int) -> memoryview:
        """The bytes of one of them, not checked. Raises DataError where the shard cannot be had."""
        record = self.table[row]
        start, length = int(record["offset"]), int(record["length"])
        return memoryview(self._map(int(self.places[row, 0])))[start : start + length]

    def whole(self, row: int) -> bool:
        """Whether its bytes are those of the index; they are read once in each process."""
        if not self._checked[row]:  # what has been read stays as it is
            wanted = int(self.table[row]["crc"])
            self._checked[row] = not wanted or zlib.crc32(self.view(row)) == wanted
        return bool(self._checked[row])

    def content(self, row: int) -> memoryview:
        """The bytes of a picture, a view. Raises UnreadableFileError where they are not those of the index.

        Raises DataError where the shard itself cannot be had.
        """
        if not self.whole(row):
            raise UnreadableFileError(self.location(row), "got a damaged picture, expected the packed bytes")
        return self.view(row)

    def name(self, row: int) -> str:
        """As in the source."""
        shard, place = map(int, self.places[row])
        if shard not in self._names:
            self._names[shard] = self.shards[shard].names.split(b"\0")
        return self._names[shard][place].decode(errors="replace")

    def location(self, row: int) -> str:
        """For messages: shard and name."""
        return f"{self.shards[int(self.places[row, 0])].path}: {self.name(row)}"

    def is_here(self, row: int) -> bool:
        """Whether the shard lies on this machine, and not still at its address."""
        return self.shards[int(self.places[row, 0])].path.exists()

    def _map(self, number: int) -> mmap.mmap:
        with self._lock:
            if number in self._maps:
                self._maps.move_to_end(number)
                return self._maps[number]
        opened = _mapped(self.shards[number])
        with self._lock:
            self._maps[number] = opened
            while len(self._maps) > OPEN:  # closed when the last picture that looks into it is gone
                self._maps.popitem(last=False)
        return opened


def _mapped(shard: Shard) -> mmap.mmap:
    if shard.address:
        fetched(shard.address, shard.path, sha256=shard.sha256)
    try:
        with shard.path.open("rb") as file:
            found = file.seek(0, 2)
            if found == shard.size:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        got = f"{found} bytes"
    except OSError as error:
        got = error.strerror or str(error)
    raise DataError(
        str(shard.path), got=got, expected=f"a shard of {shard.size} bytes", do="copy or pack it again"
    )


@dataclass(frozen=True, slots=True)
class ShardRecording(Stored):
    """A recording in a shard. It holds no bytes: each process looks into its own map."""

    shards: Shards
    row: int

    def open(self) -> BinaryIO:
        """Only what is asked for is copied. Raises DataError where the shard cannot be had."""
        return cast(BinaryIO, ViewFile(self.shards.view(self.row)))

    def check(self) -> None:
        """Raises UnreadableFileError where its bytes are not those of the index."""
        if not self.shards.whole(self.row):
            shard = self.shards.shards[int(self.shards.places[self.row, 0])].path
            raise UnreadableFileError(
                self, f"got a damaged recording in {shard}, expected the packed bytes; copy or pack it again"
            )

    def is_here(self) -> bool:
        """Whether its shard lies on this machine."""
        return self.shards.is_here(self.row)

    def identity(self) -> str:
        """The shard, the place in it, and the checksum."""
        shard = self.shards.shards[int(self.shards.places[self.row, 0])].path
        return f"{shard} {self.shards.table[self.row].tolist()}"

    def __str__(self) -> str:
        return self.shards.name(self.row)


class ShardPictures(Pictures):
    """Pictures in shards, 1 or 3 channels; `rows` picks some of them."""

    on_disk = True

    def __init__(self, shards: Shards, channels: int, rows: NDArray[np.int64], ranges: Ranges = ()) -> None:
        self.shards, self.channels, self.rows, self.ranges = shards, channels, rows, ranges

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: NDArray[np.int64]) -> ShardPictures:
        """Some of them."""
        return ShardPictures(self.shards, self.channels, self.rows[rows], self.ranges)

    def with_channels(self, channels: int) -> ShardPictures:
        """The same with 1 or 3 channels."""
        return ShardPictures(self.shards, channels, self.rows, self.ranges)

    def with_ranges(self, ranges: Ranges) -> ShardPictures:
        """The same, read with these ranges."""
        return ShardPictures(self.shards, self.channels, self.rows, ranges)

    def read(self, index: int) -> NDArray[np.uint8]:
        """(H, W, C); of packed pixels a read-only view of the file. Raises UnreadableFileError, DataError."""
        row = int(self.rows[index])
        record, content = self.shards.table[row], self.shards.content(row)
        height, width, depth = int(record["height"]), int(record["width"]), int(record["depth"])
        if depth:
            pixels = np.frombuffer(content[len(content) - height * width * depth :], np.uint8)
            try:
                return with_depth(pixels.reshape(height, width, depth), self.channels)
            except ValueError as error:
                raise UnreadableFileError(self.shards.location(row), str(error)) from error
        try:
            return decode(bytes(content), self.channels, ranges=self.ranges)
        except UnreadableFileError as error:
            raise UnreadableFileError(self.shards.location(row), error.reason) from error

    def name(self, index: int) -> str:
        """As in the source that was packed."""
        return self.shards.name(int(self.rows[index]))

    def location(self, index: int) -> str:
        """What errors call it: with its shard."""
        return self.shards.location(int(self.rows[index]))

    def content(self, index: int) -> bytes:
        """The bytes of the member, an .npy or a picture file. Raises UnreadableFileError, DataError."""
        return bytes(self.shards.content(int(self.rows[index])))

    def has_file(self, index: int) -> bool:
        """Whether it stands there as a picture file."""
        return not self.shards.table[int(self.rows[index])]["depth"]

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) without decoding. Raises as `read`."""
        record = self.shards.table[int(self.rows[index])]
        if record["height"]:
            return int(record["height"]), int(record["width"])
        return header(self.content(index))[:2]

    def decoded_pixels(self, index: int) -> int:
        """Pixels of the whole picture. Raises as `read`."""
        height, width = self.size(index)
        return height * width

    def records(self) -> NDArray[Any]:
        """A `RECORD` for each."""
        return self.shards.table[self.rows]

    def record(self, index: int) -> Any:
        """The `RECORD` of one."""
        return self.shards.table[int(self.rows[index])]

    def is_here(self, index: int) -> bool:
        """Whether its shard lies on this machine."""
        return self.shards.is_here(int(self.rows[index]))

    def depth(self, index: int) -> int:
        """1 for grey, 3 for colour, or that of a TIFF, without decoding. Raises as `read`."""
        known = int(self.shards.table[int(self.rows[index])]["depth"])
        return known or header(self.content(index))[2]
