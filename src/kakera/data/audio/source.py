"""What a recording is read from: a file, what is in one, or a part of a larger file."""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias


class Stored(ABC):
    """A file that stands in a larger one, as in a shard; `str` is what to call it in a message."""

    @abstractmethod
    def open(self) -> BinaryIO:
        """From its beginning. Raises DataError where the larger file cannot be had."""

    @abstractmethod
    def check(self) -> None:
        """Raises UnreadableFileError where its bytes are not those that were stored."""

    def identity(self) -> str:
        """What names these bytes and no others; empty where nothing short does."""
        return ""


class Content(Stored):
    """What is in a file that has been read already, or stands for one, under a name."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content, self.name = content, name

    def open(self) -> BinaryIO:
        """Return the bytes as a file."""
        return io.BytesIO(self.content)

    def check(self) -> None:
        """Do nothing: the bytes are what was given."""

    def __str__(self) -> str:
        return self.name


Source: TypeAlias = Path | bytes | Stored
"""A file, what is in one, or a part of a larger one."""


def opened(source: Source) -> BinaryIO:
    """Its bytes, from the beginning. Raises OSError, and as `Stored.open` does."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    return source.open() if isinstance(source, Stored) else source.open("rb")


class ReadOnlyFile(io.RawIOBase):
    """A file of `size` bytes to read; those who inherit from it give `readinto`, from `_place` on."""

    def __init__(self, size: int) -> None:
        self._size, self._place = size, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """To the beginning at least; beyond the end there is nothing to read."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place


class ViewFile(ReadOnlyFile):
    """A file to read whose bytes are those of a view: only what is asked for is copied."""

    def __init__(self, view: memoryview) -> None:
        super().__init__(len(view))
        self._view = view

    def readinto(self, buffer: Any) -> int:
        """How many bytes there were."""
        found = self._view[self._place : self._place + len(buffer)]
        memoryview(buffer).cast("B")[: len(found)] = found
        self._place += len(found)
        return len(found)
