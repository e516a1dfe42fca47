"""Cache of decoded pictures on disk: the next command maps them into memory and decodes nothing.

The cache consists of pieces. A piece is two files in the folder `pictures`: NAME.pixels has the values of the
pictures, one after another. NAME.json is the index, which is written last. NAME is a digest of the picture
files (path, size, modification time) and of the storage format, so a changed file leads to another name. The
folder can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from kakera.data.download import cache_folder
from kakera.progress import is_follower
from kakera.storage import whole_file, write_atomically

MOST = 64 << 30  # bytes of all pieces; the pieces that were unused for longest are deleted first
FREE = 0.5  # share of the free disk space that new pieces may use
ABANDONED = 86_400  # seconds after which an unfinished file is deleted
VERSION = 2  # of the file format and the processing of pictures; raise it when either changes

FIELDS = ("row", "start", "length", "height", "width", "shrunken", "crc")
ENTRY = np.dtype([(field, "<i8") for field in FIELDS])


@dataclass(frozen=True)
class Index:
    """The index of a piece: an `ENTRY` for each readable file, and the reasons for unreadable files.

    In an entry, `row` is the number of the file in the piece. The `length` bytes from `start` on are the
    picture (height, width, channels). If the picture is `shrunken`, the centre crop of the original picture
    follows. `bytes` is the size of all pictures.

    See `find`.
    """

    entries: NDArray[Any]
    unreadable: tuple[tuple[int, str, str], ...]
    """(row, file, reason)."""
    bytes: int


def folder() -> Path:
    """Return the folder of the pieces.

    Example:

        >>> folder().name
        'pictures'
    """
    return cache_folder() / "pictures"


def name_of(paths: Sequence[Path], cache_format: Sequence[int | str]) -> str:
    """Return the name of a piece: a digest of the current state of the files and of `cache_format`.

    Example:

        >>> len(name_of([Path("a.png")], (8, 0, 0, 1)))
        32
    """
    digest = hashlib.blake2b(repr((VERSION, PIL.__version__, *cache_format)).encode(), digest_size=16)
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116  # Path.stat is ten times as slow
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = (-1, -1)
        place = os.path.abspath(path)  # noqa: PTH100  # a Path costs several times the call
        digest.update(f"{place}\0{state}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def find(name: str) -> Index | None:
    """Return the index of a complete piece; None without one. Print a line if the piece is damaged.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     store("a", [np.arange(4, dtype=np.uint8)], Index(np.zeros(0, ENTRY), (), bytes=4))
        ...     find("a").bytes, find("b")
        (4, None)
    """
    described, pixels = folder() / f"{name}.json", folder() / f"{name}.pixels"
    try:
        content = json.loads(described.read_bytes())
        entries = np.array([tuple(entry) for entry in content["entries"]], dtype=ENTRY)
        unreadable = tuple((int(row), str(file), str(reason)) for row, file, reason in content["unreadable"])
        index = Index(entries, unreadable, int(content["bytes"]))
        if pixels.stat().st_size != index.bytes:
            raise ValueError("other size")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        print_line(f"cache: {described.stem} in {folder()} is damaged; its pictures are decoded again")
        return None
    with suppress(OSError):
        os.utime(described)  # mark as used now
    return index


def mapped(name: str) -> NDArray[np.uint8]:
    """Map the bytes of a piece into memory, read-only. Raises OSError, ValueError.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     store("a", [np.arange(4, dtype=np.uint8)], Index(np.zeros(0, ENTRY), (), bytes=4))
        ...     mapped("a").tolist()
        [0, 1, 2, 3]
    """
    path = folder() / f"{name}.pixels"
    if not path.stat().st_size:
        return np.zeros(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, "r"))


def store(name: str, records: Sequence[NDArray[np.uint8]], index: Index) -> None:
    """Write a piece: the bytes of its pictures, then its index. Raises StorageError.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     store("a", [np.arange(4, dtype=np.uint8)], Index(np.zeros(0, ENTRY), (), bytes=4))
        >>> sorted(path.name for path in Path("cache/pictures").glob("a.*"))
        ['a.json', 'a.pixels']
    """
    with whole_file(folder() / f"{name}.pixels") as file:
        for record in records:
            file.write(record.data)
    content = {
        "entries": [entry.tolist() for entry in index.entries],
        "unreadable": index.unreadable,
        "bytes": index.bytes,
    }
    write_atomically(folder() / f"{name}.json", json.dumps(content).encode())


def make_room(needed: int) -> bool:
    """Return True if `needed` bytes may be added; delete old pieces if that is necessary.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     make_room(needed=1000), make_room(needed=MOST + 1)
        (True, False)
    """
    try:
        folder().mkdir(parents=True, exist_ok=True)
        for path in folder().glob(".*"):  # temporary files of processes that were killed while writing
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink(missing_ok=True)
        found = sorted(folder().glob("*.json"), key=lambda path: path.stat().st_mtime)
        sizes = [_size(path) for path in found]
        while found and sum(sizes) + needed > MOST:
            path, _ = found.pop(0), sizes.pop(0)
            path.unlink(missing_ok=True)
            path.with_suffix(".pixels").unlink(missing_ok=True)
        return needed <= min(MOST, FREE * shutil.disk_usage(folder()).free)
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.with_suffix(".pixels").stat().st_size
    except OSError:
        return 0


def check(record: NDArray[np.uint8]) -> int:
    """Return the CRC-32 checksum of an entry.

    Example:

        >>> check(np.zeros(4, np.uint8))
        558161692
    """
    return zlib.crc32(record.data)


def print_line(line: str) -> None:
    """Print one line on stderr, but only in the first process of a distributed run.

    Example:

        >>> import contextlib
        >>> with contextlib.redirect_stderr(sys.stdout):
        ...     print_line("cache: decoded pictures are not stored")
        cache: decoded pictures are not stored
    """
    if not is_follower():
        print(line, file=sys.stderr)
