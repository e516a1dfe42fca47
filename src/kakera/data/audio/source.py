"""What a recording is read from: a file, what is in one, or a part of a larger file."""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast


class Stored(ABC):
    """A file that stands in a larger one, as in a shard; `str` is what to call it in a message."""

    @abstractmethod
    def open(self) -> BinaryIO:
        """From its beginning. Raises DataError where the larger file cannot be had."""

    @abstractmethod
    def check(self) -> None:
        """Raises UnreadableFileError where its bytes are not those that were stored."""

    def is_here(self) -> bool:
        """Whether the larger file lies on this machine, and not still at its address."""
        return True

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


class HeldFile(Stored):
    """A file on disk that is open: what decodes it looks into it as often as it likes, at any place."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.descriptor = path, file.fileno()

    def open(self) -> BinaryIO:
        """Return it from its beginning, without opening it again."""
        return cast(BinaryIO, io.BufferedReader(_HeldReader(self.descriptor)))

    def check(self) -> None:
        """Do nothing: nothing is known of a file but what is in it."""

    def __str__(self) -> str:
        return str(self.path)


class _HeldReader(ReadOnlyFile):
    """Reads at places of its own, so that several may read the same descriptor."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(os.fstat(descriptor).st_size)
        self._descriptor = descriptor

    def readinto(self, buffer: Any) -> int:
        """How many bytes there were."""
        count = os.preadv(self._descriptor, [buffer], self._place)
        self._place += count
        return count


@contextmanager
def held(source: Source) -> Generator[Source]:
    """Open a file once for all that is done within; other sources, and where a system cannot, as they are.

    Raises OSError.
    """
    if isinstance(source, Path) and hasattr(os, "preadv"):
        with source.open("rb", buffering=0) as file:
            yield HeldFile(source, cast(BinaryIO, file))
    else:
        yield source
