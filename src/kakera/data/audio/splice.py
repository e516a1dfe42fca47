"""A virtual file made of bytes and of parts of another file."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, BinaryIO, TypeAlias, cast

from kakera.data.audio.source import AudioSource, ReadOnlyFile, Source, opened

Part: TypeAlias = bytes | tuple[int, int]
"""Bytes, or the byte range (first, end) of the other file."""


class Splice(AudioSource):
    """A file made of parts of `source`, one after another; only the requested bytes are read.

    Example:

        >>> Splice(b"0123456789", [b"ab", (2, 5)]).open().read()
        b'ab234'
    """

    def __init__(self, source: Source, parts: Sequence[Part]) -> None:
        self.source, self.parts = source, parts

    def open(self) -> BinaryIO:
        """Open the file at its beginning. Raises OSError, and the errors of `source.opened`."""
        return cast(BinaryIO, io.BufferedReader(_SpliceFile(opened(self.source), self.parts)))

    def check(self) -> None:
        """Check that the other file's bytes are those that were stored. Raises UnreadableFileError."""
        if isinstance(self.source, AudioSource):
            self.source.check()

    def __str__(self) -> str:
        return "recording" if isinstance(self.source, bytes) else str(self.source)


class _SpliceFile(ReadOnlyFile):
    def __init__(self, file: BinaryIO, parts: Sequence[Part]) -> None:
        sizes = [len(part) if isinstance(part, bytes) else part[1] - part[0] for part in parts]
        super().__init__(sum(sizes))
        self._file, self._parts = file, parts
        self._begins = [0, *accumulate(sizes)]

    def readinto(self, buffer: Any) -> int:
        number = bisect_right(self._begins, self._place) - 1
        if number >= len(self._parts):
            return 0
        part, inside = self._parts[number], self._place - self._begins[number]
        count = min(len(buffer), self._begins[number + 1] - self._place)
        if isinstance(part, bytes):
            found = part[inside : inside + count]
        else:
            self._file.seek(part[0] + inside)
            found = self._file.read(count)
        memoryview(buffer).cast("B")[: len(found)] = found
        self._place += len(found)
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()
