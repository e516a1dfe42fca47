"""Recordings that can be heard one by one or in pieces, on disk or in memory, as a sound spec says."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio import decode
from kakera.data.audio.decode import WHOLE, Header, Span
from kakera.data.audio.source import Source
from kakera.data.audio.wav import as_file, wav
from kakera.data.names import taken
from kakera.errors import DataError, UnreadableFileError, sentence
from kakera.sound.spec import SoundSpec


class Sounds(ABC):
    """n recordings. Waveforms are float32, one channel at the spec's rate, 1 at full scale."""

    spec: SoundSpec

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def length(self, index: int) -> int:
        """Samples at the spec's rate, a frame at least. Raises UnreadableFileError."""

    @abstractmethod
    def piece(self, index: int, start: int, count: int) -> NDArray[np.float32]:
        """Up to `count` samples from `start` on. Raises UnreadableFileError."""

    @abstractmethod
    def header(self, index: int) -> Header:
        """What the recording is, before it is heard by the spec. Raises UnreadableFileError."""

    @abstractmethod
    def blocks(self, index: int) -> Iterator[NDArray[np.float32]]:
        """All of it as it is, piece by piece: (samples, channels). Raises UnreadableFileError."""

    @abstractmethod
    def name(self, index: int) -> str:
        """What to call it in a message: a path, with the part of it that is meant."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Sounds:
        """Those at `rows`, without reading or copying any."""

    @abstractmethod
    def heard(self, spec: SoundSpec) -> Sounds:
        """The same recordings by another spec."""

    @abstractmethod
    def file(self, index: int) -> tuple[bytes, str]:
        """All of it as a file, and the suffix of its kind; decoded once. Raises UnreadableFileError."""

    def read(self, index: int) -> NDArray[np.float32]:
        """All of it, (samples,). Raises UnreadableFileError."""
        return self.piece(index, 0, self.length(index))


class FileSounds(Sounds):
    """Recordings on disk, or what is in files, or spans of them in seconds; decoded when they are read.

    `noted` says, by name, what is unusual about those that this process has looked into.
    """

    def __init__(self, paths: Sequence[Source], spec: SoundSpec, spans: Sequence[Span] = ()) -> None:
        self.paths, self.spec = paths, spec
        self.spans = spans or [WHOLE] * len(paths)
        self.noted: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def length(self, index: int) -> int:
        """From the header. Raises UnreadableFileError where less than a frame is there."""
        samples = self.header(index).at(self.spec.rate)
        if samples < self.spec.frame_samples:
            got = f"{samples / self.spec.rate * 1000:.3g} ms"
            if self.spans[index][0] > 0:
                with self._named(index):
                    got += f" in a recording of {decode.header(self.paths[index]).seconds:.3g} s"
            reason = f"got {got}, expected at least a frame of {self.spec.frame:g} ms; leave it out"
            raise UnreadableFileError(self.name(index), reason)
        return samples

    def piece(self, index: int, start: int, count: int) -> NDArray[np.float32]:
        """Decoded and resampled, no more than is asked for."""
        self.length(index)
        with self._named(index):
            return decode.read(
                self.paths[index], self.spec.rate, self.spec.channel, start, count, self.spans[index]
            )

    def header(self, index: int) -> Header:
        """Of the span."""
        with self._named(index):
            found = decode.header(self.paths[index], self.spans[index])
        if found.note:
            self.noted[self.name(index)] = found.note
        return found

    def blocks(self, index: int) -> Iterator[NDArray[np.float32]]:
        """Decoded, and no more."""
        with self._named(index):
            yield from decode.blocks(self.paths[index], self.spans[index])

    def file(self, index: int) -> tuple[bytes, str]:
        """The file itself, or of a span a WAV of exactly its samples."""
        with self._named(index):
            return as_file(self.paths[index], self.spans[index])

    def name(self, index: int) -> str:
        """The path, and the span where there is one."""
        return spanned(decode.name(self.paths[index]), self.spans[index])

    def take(self, rows: NDArray[np.int64]) -> FileSounds:
        """Other paths and spans."""
        return FileSounds(taken(self.paths, rows), self.spec, taken(self.spans, rows))

    def heard(self, spec: SoundSpec) -> FileSounds:
        """Nothing is read yet."""
        return FileSounds(self.paths, spec, self.spans)

    @contextmanager
    def _named(self, index: int) -> Generator[None]:
        """Errors speak of the span, not of the whole file."""
        try:
            yield
        except UnreadableFileError as error:
            raise UnreadableFileError(self.name(index), error.reason) from error


def spanned(name: str, span: Span) -> str:
    """What to call a span of a recording."""
    start, end = span
    return name if span == WHOLE else f"{name}[{start:.10g}–{'' if math.isinf(end) else f'{end:.10g}'} s]"


class ArraySounds(Sounds):
    """Waveforms in memory, each (samples,) at the spec's rate."""

    def __init__(
        self,
        arrays: Sequence[NDArray[np.float32]],
        spec: SoundSpec,
        names: Sequence[str] = (),
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.arrays, self.spec, self.names = arrays, spec, names
        self.rows = np.arange(len(arrays)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def length(self, index: int) -> int:
        """Of the array."""
        return len(self.arrays[self.rows[index]])

    def piece(self, index: int, start: int, count: int) -> NDArray[np.float32]:
        """A view of what is stored."""
        return self.arrays[self.rows[index]][start : start + count]

    def header(self, index: int) -> Header:
        """Of the array."""
        return Header("memory", self.spec.rate, 1, self.length(index))

    def blocks(self, index: int) -> Iterator[NDArray[np.float32]]:
        """The array at once."""
        yield self.read(index)[:, None]

    def file(self, index: int) -> tuple[bytes, str]:
        """A WAV of the same floats."""
        return wav(self.read(index)[:, None], self.spec.rate, "FLOAT"), ".wav"

    def name(self, index: int) -> str:
        """The name given at birth, or the number in the list."""
        row = int(self.rows[index])
        return self.names[row] if self.names else f"recording[{row}]"

    def take(self, rows: NDArray[np.int64]) -> ArraySounds:
        """The same arrays, other rows."""
        return ArraySounds(self.arrays, self.spec, self.names, self.rows[rows])

    def heard(self, spec: SoundSpec) -> ArraySounds:
        """Raises DataError for another rate or channel: what was dropped cannot be heard again."""
        if (spec.rate, spec.channel) != (self.spec.rate, self.spec.channel):
            raise DataError(
                sentence(
                    "recordings in memory",
                    got=f"{spec.rate} Hz, channel {spec.channel}",
                    expected=f"{self.spec.rate} Hz and channel {self.spec.channel}, as they are",
                    do="open them from files",
                )
            )
        return ArraySounds(self.arrays, spec, self.names, self.rows)
