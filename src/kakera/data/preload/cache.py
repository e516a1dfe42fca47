"""Decoded pictures on disk, in pieces: the next command maps them into memory and decodes nothing.

A piece is two files in the folder `pictures` of the cache: NAME.pixels, the values one after another, and
NAME.json, which says what stands where and is written last. NAME is a digest of the files (path, size, time
of change) and of how they are kept, so a changed file has another name. The folder may be deleted any time.
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

MOST = 64 << 30  # bytes of all pieces; those used longest ago go first
FREE = 0.5  # of the space left on the disk that new pieces may take
ABANDONED = 86_400  # seconds after which an unfinished file is nobody's
VERSION = 2  # of the form of a piece, and of what is done to pictures

FIELDS = ("row", "start", "length", "height", "width", "shrunken", "crc")
ENTRY = np.dtype([(field, "<i8") for field in FIELDS])


@dataclass(frozen=True)
class Index:
    """What stands in a piece: an `ENTRY` for each readable file, and why the others are not.

    `row` is the file's place in the piece; `length` bytes from `start` on are the picture (height, width,
    channels) and, where it was `shrunken`, its middle as evaluation cuts it out of the whole picture.
    """

    entries: NDArray[Any]
    unreadable: tuple[tuple[int, str, str], ...]
    """(row, file, reason)."""
    bytes: int


def folder() -> Path:
    """Where pieces lie."""
    return cache_folder() / "pictures"


def name_of(paths: Sequence[Path], cache_format: Sequence[int | str]) -> str:
    """A digest of what these files are now, and of `cache_format` they are kept."""
    digest = hashlib.blake2b(repr((VERSION, PIL.__version__, *cache_format)).encode(), digest_size=16)
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116  # a Path costs ten times the call
            state = (found.st_size, found.st_mtime_ns)
        except OSError:
            state = (-1, -1)
        place = os.path.abspath(path)  # noqa: PTH100  # as above
        digest.update(f"{place}\0{state}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def find(name: str) -> Index | None:
    """The index of a piece that is whole; None where there is none, which is said where one was damaged."""
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
        print_line(f"cache: {described.stem} in {folder()} is damaged and is made again")
        return None
    with suppress(OSError):
        os.utime(described)  # used now
    return index


def mapped(name: str) -> NDArray[np.uint8]:
    """The bytes of a piece, read-only, from the disk when they are looked at. Raises OSError, ValueError."""
    path = folder() / f"{name}.pixels"
    if not path.stat().st_size:
        return np.zeros(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, "r"))


def store(name: str, records: Sequence[NDArray[np.uint8]], index: Index) -> None:
    """Write a piece: the bytes of its pictures one after another, then its index. Raises StorageError."""
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
    """Whether `needed` bytes may be added, after the pieces used longest ago are deleted where they must."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        for path in folder().glob(".*"):  # of processes that were killed while they wrote
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
    """The checksum of an entry."""
    return zlib.crc32(record.data)


def print_line(line: str) -> None:
    """One line, from one of the processes that work together."""
    if not is_follower():
        print(line, file=sys.stderr)
