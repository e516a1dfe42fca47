"""Sources of recordings: a path, the bytes of a file, or a part of a larger file."""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast


class AudioSource(ABC):
    """A file inside a larger file, such as a shard; `str` returns its name for messages.

    Example:

        >>> source: AudioSource = Content(b"RIFF", "bird.wav")
        >>> str(source), source.open().read(), source.is_local()
        ('bird.wav', b'RIFF', True)
    """

    @abstractmethod
    def open(self) -> BinaryIO:
        """Open the file at its beginning. Raises DataError if the larger file is not available."""

    @abstractmethod
    def check(self) -> None:
        """Check that the bytes are those that were stored. Raises UnreadableFileError if they differ."""

    def is_local(self) -> bool:
        """Return True if the larger file is on this machine, False if it must still be downloaded."""
        return True

    def identity(self) -> str:
        """Return a short text that identifies exactly these bytes; "" if there is none."""
        return ""


class Content(AudioSource):
    """The bytes of a file in memory, with a name for messages.

    Example:

        >>> source = Content(b"RIFF", "bird.wav")
        >>> str(source), source.open().read()
        ('bird.wav', b'RIFF')
    """

    def __init__(self, content: bytes, name: str) -> None:
        self.content, self.name = content, name

    def open(self) -> BinaryIO:
        """Return the bytes as a file."""
        return io.BytesIO(self.content)

    def check(self) -> None:
        """Do nothing, because the bytes are already in memory."""

    def __str__(self) -> str:
        return self.name


Source: TypeAlias = Path | bytes | AudioSource
"""A path, the bytes of a file, or a part of a larger file."""


def opened(source: Source) -> BinaryIO:
    """Open a source for reading, at its beginning. Raises OSError, and the errors of `AudioSource.open`.

    Example:

        >>> opened(b"RIFF").read(2)
        b'RI'
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    return source.open() if isinstance(source, AudioSource) else source.open("rb")


class ReadOnlyFile(io.RawIOBase):
    """A read-only file of `size` bytes; subclasses define `readinto`, which reads from `_place` on.

    Example:

        >>> file: ReadOnlyFile = ViewFile(memoryview(b"RIFF"))
        >>> file.seek(-1, os.SEEK_END), file.tell(), file.read()
        (3, 3, b'F')
    """

    def __init__(self, size: int) -> None:
        self._size, self._place = size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes from the beginning."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; a position before the beginning becomes 0. Return the new position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place


class ViewFile(ReadOnlyFile):
    """A read-only file of the bytes of a memoryview; only the requested bytes are copied.

    Example:

        >>> file = ViewFile(memoryview(b"RIFF"))
        >>> file.seek(2), file.read()
        (2, b'FF')
    """

    def __init__(self, view: memoryview) -> None:
        super().__init__(len(view))
        self._view = view

    def readinto(self, buffer: Any) -> int:
        """Read bytes into `buffer`, and return how many were read."""
        found = self._view[self._place : self._place + len(buffer)]
        memoryview(buffer).cast("B")[: len(found)] = found
        self._place += len(found)
        return len(found)


class HeldFile(AudioSource):
    """An open file on disk, which decoders can read several times at any position.

    See `held`.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.descriptor = path, file.fileno()

    def open(self) -> BinaryIO:
        """Return a file at position 0 for the same descriptor, without opening the path again."""
        return cast(BinaryIO, io.BufferedReader(_HeldReader(self.descriptor)))

    def check(self) -> None:
        """Do nothing, because there is no stored checksum to compare with."""

    def __str__(self) -> str:
        return str(self.path)


class _HeldReader(ReadOnlyFile):
    """A file with its own position, so that several readers can share one descriptor."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(os.fstat(descriptor).st_size)
        self._descriptor = descriptor

    def readinto(self, buffer: Any) -> int:
        """Read bytes into `buffer`, and return how many were read."""
        count = os.preadv(self._descriptor, [buffer], self._place)
        self._place += count
        return count


@contextmanager
def held(source: Source) -> Generator[Source]:
    """Open a path once for the whole `with` block, and yield a `HeldFile`.

    Other sources are yielded unchanged, and so are paths on systems without `os.preadv`. Raises OSError.

    Example:

        >>> size = Path("bird.wav").write_bytes(b"RIFF")
        >>> with held(Path("bird.wav")) as source:
        ...     print(source, source.open().read())
        bird.wav b'RIFF'
    """
    if isinstance(source, Path) and hasattr(os, "preadv"):
        with source.open("rb", buffering=0) as file:
            yield HeldFile(source, cast(BinaryIO, file))
    else:
        yield source
