"""Pictures and recordings in tar files, read in any order from memory maps; raw pixels are not copied."""

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

from kakera.data.audio.source import AudioSource, ViewFile
from kakera.data.download import download
from kakera.data.images.decode import decode, header, with_depth
from kakera.data.images.value_range import Ranges
from kakera.data.pictures import Pictures
from kakera.errors import DataError, UnreadableFileError

OPEN = 256  # shards that a process maps at a time: each needs a file descriptor


@dataclass(frozen=True)
class Shard:
    """A tar file of `size` bytes, on disk at `path`, or at `address` until it is first read.

    `names` are as in its index. An empty `address` means a local file, an empty `sha256` an unknown checksum.

    See `Shards`.
    """

    path: Path
    size: int
    names: bytes
    sha256: str = ""
    address: str = ""


class Shards:
    """The tar files, and their open memory maps in this process; another process opens its own.

    Example:

        >>> from kakera.data.shards.index import RECORD
        >>> size = Path("one.tar").write_bytes(b"pixels")
        >>> table = np.array([(0, 0, size, 0, 0, 0, 0, 0)], RECORD)
        >>> shards = Shards([Shard(Path("one.tar"), size, b"owl.png")], table, np.array([[0, 0]]))
        >>> shards.name(0), bytes(shards.content(0))
        ('owl.png', b'pixels')
    """

    def __init__(self, shards: Sequence[Shard], table: NDArray[Any], places: NDArray[np.int64]) -> None:
        """Store the shards.

        `table` has a `RECORD` for each row, `places` (n, 2) the row's shard and its number in the shard.
        """
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
        """Return the bytes of a row, without a check. Raises DataError if the shard is not available."""
        record = self.table[row]
        start, length = int(record["offset"]), int(record["length"])
        return memoryview(self._map(int(self.places[row, 0])))[start : start + length]

    def whole(self, row: int) -> bool:
        """Return True if the bytes of a row have the index's checksum; check once per process."""
        if not self._checked[row]:  # a shard is never changed, so one check is enough
            expected = int(self.table[row]["crc"])
            self._checked[row] = not expected or zlib.crc32(self.view(row)) == expected
        return bool(self._checked[row])

    def content(self, row: int) -> memoryview:
        """Return a view of the bytes of a picture. Raises UnreadableFileError if their checksum is wrong.

        Raises DataError if the shard itself is not available.
        """
        if not self.whole(row):
            raise UnreadableFileError(self.location(row), "got a damaged picture, expected the packed bytes")
        return self.view(row)

    def name(self, row: int) -> str:
        """Return the name of a row in the source."""
        shard, place = map(int, self.places[row])
        if shard not in self._names:
            self._names[shard] = self.shards[shard].names.split(b"\0")
        return self._names[shard][place].decode(errors="replace")

    def location(self, row: int) -> str:
        """Return the shard and the name of a row, for messages."""
        return f"{self.shards[int(self.places[row, 0])].path}: {self.name(row)}"

    def is_local(self, row: int) -> bool:
        """Return True if the shard is on this machine, False if it must be downloaded first."""
        return self.shards[int(self.places[row, 0])].path.exists()

    def _map(self, number: int) -> mmap.mmap:
        with self._lock:
            if number in self._maps:
                self._maps.move_to_end(number)
                return self._maps[number]
        opened = _mapped(self.shards[number])
        with self._lock:
            self._maps[number] = opened
            while len(self._maps) > OPEN:  # closed when no picture refers to the map any more
                self._maps.popitem(last=False)
        return opened


def _mapped(shard: Shard) -> mmap.mmap:
    if shard.address:
        download(shard.address, shard.path, sha256=shard.sha256)
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
class ShardRecording(AudioSource):
    """A recording in a shard. It has no bytes of its own: each process reads from its own memory map.

    Example:

        >>> from kakera.data.shards.index import RECORD
        >>> size = Path("two.tar").write_bytes(b"samples")
        >>> table = np.array([(0, 0, size, 0, 0, 0, 0, 0)], RECORD)
        >>> shards = Shards([Shard(Path("two.tar"), size, b"owl.wav")], table, np.array([[0, 0]]))
        >>> str(ShardRecording(shards, 0)), ShardRecording(shards, 0).open().read()
        ('owl.wav', b'samples')
    """

    shards: Shards
    row: int

    def open(self) -> BinaryIO:
        """Return a file that copies only the bytes that are read.

        Raises DataError if the shard is not available.
        """
        return cast(BinaryIO, ViewFile(self.shards.view(self.row)))

    def check(self) -> None:
        """Raise UnreadableFileError if the checksum of the bytes is not the one in the index."""
        if not self.shards.whole(self.row):
            shard = self.shards.shards[int(self.shards.places[self.row, 0])].path
            raise UnreadableFileError(
                self, f"got a damaged recording in {shard}, expected the packed bytes; copy or pack it again"
            )

    def is_local(self) -> bool:
        """Return True if the shard is on this machine."""
        return self.shards.is_local(self.row)

    def identity(self) -> str:
        """Return the shard, the position in it, and the checksum, as one text."""
        shard = self.shards.shards[int(self.shards.places[self.row, 0])].path
        return f"{shard} {self.shards.table[self.row].tolist()}"

    def __str__(self) -> str:
        return self.shards.name(self.row)


class ShardPictures(Pictures):
    """Pictures in shards, with 1 or 3 channels; `rows` selects some of them.

    See `kakera.data.shards.open.open_shards`.
    """

    on_disk = True

    def __init__(self, shards: Shards, channels: int, rows: NDArray[np.int64], ranges: Ranges = ()) -> None:
        self.shards, self.channels, self.rows, self.ranges = shards, channels, rows, ranges

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: NDArray[np.int64]) -> ShardPictures:
        """Return the pictures at `rows`."""
        return ShardPictures(self.shards, self.channels, self.rows[rows], self.ranges)

    def with_channels(self, channels: int) -> ShardPictures:
        """Return the same pictures with 1 or 3 channels."""
        return ShardPictures(self.shards, channels, self.rows, self.ranges)

    def with_ranges(self, ranges: Ranges) -> ShardPictures:
        """Return the same pictures, read with these ranges."""
        return ShardPictures(self.shards, self.channels, self.rows, ranges)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return uint8 (H, W, C); raw pixels as a read-only view. Raises UnreadableFileError, DataError."""
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
        """Return the name in the packed source."""
        return self.shards.name(int(self.rows[index]))

    def location(self, index: int) -> str:
        """Return the shard and the name, for messages."""
        return self.shards.location(int(self.rows[index]))

    def content(self, index: int) -> bytes:
        """Return the bytes of the .npy or picture file. Raises UnreadableFileError, DataError."""
        return bytes(self.shards.content(int(self.rows[index])))

    def has_file(self, index: int) -> bool:
        """Return True if the member is a picture file, False if it has raw pixels."""
        return not self.shards.table[int(self.rows[index])]["depth"]

    def size(self, index: int) -> tuple[int, int]:
        """Return (height, width) without decoding. Raises as `read`."""
        record = self.shards.table[int(self.rows[index])]
        if record["height"]:
            return int(record["height"]), int(record["width"])
        return header(self.content(index))[:2]

    def decoded_pixels(self, index: int) -> int:
        """Return the number of pixels of the whole picture. Raises as `read`."""
        height, width = self.size(index)
        return height * width

    def records(self) -> NDArray[Any]:
        """Return a `RECORD` for each picture."""
        return self.shards.table[self.rows]

    def record(self, index: int) -> Any:
        """Return the `RECORD` of one picture."""
        return self.shards.table[int(self.rows[index])]

    def is_local(self, index: int) -> bool:
        """Return True if the shard is on this machine."""
        return self.shards.is_local(int(self.rows[index]))

    def depth(self, index: int) -> int:
        """Return 1 for grey, 3 for colour, or the channels of a TIFF, without decoding. Raises as `read`."""
        known = int(self.shards.table[int(self.rows[index])]["depth"])
        return known or header(self.content(index))[2]
