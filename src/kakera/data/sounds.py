"""What can be heard one by one or in pieces: the face of all recordings, wherever they are."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.pictures import Pictures
from kakera.errors import DataError
from kakera.sound.spec import SoundSpec

Waveform: TypeAlias = NDArray[np.float32]
Span: TypeAlias = tuple[float, float]
"""Begin and end in seconds: the samples between them, as if the recording had no others."""
WHOLE: Span = (0.0, math.inf)


@dataclass(frozen=True)
class Header:
    """What a file says of itself; `samples` are those of one channel, at the file's own rate."""

    kind: str
    rate: int
    channels: int
    samples: int
    note: str = ""
    """What is unusual about the file, though it is read; empty for most."""

    @property
    def seconds(self) -> float:
        """Its duration."""
        return self.samples / self.rate

    def at(self, rate: int) -> int:
        """Return how many samples it has at another rate."""
        return self.samples * rate // self.rate


class RecordingReader(Protocol):
    """One recording, open: pieces of it are read without opening its file again."""

    @property
    def length(self) -> int:
        """Samples at the spec's rate, a frame at least."""
        ...

    def piece(self, start: int, count: int) -> Waveform:
        """Return up to `count` samples from `start` on. Raises UnreadableFileError."""
        ...


class Sounds(Pictures):
    """n recordings. Waveforms are float32, one channel at the spec's rate, 1 at full scale."""

    spec: SoundSpec
    spans: Sequence[Span] = ()
    """The span of each file that is meant; none of what is in no file."""

    @abstractmethod
    def opened(self, index: int) -> AbstractContextManager[RecordingReader]:
        """Open one, to read pieces of it. Raises UnreadableFileError, on entering and in the block."""

    @abstractmethod
    def header(self, index: int) -> Header:
        """Return what the recording is, before it is heard by the spec. Raises UnreadableFileError."""

    @abstractmethod
    def blocks(self, index: int) -> Iterator[Waveform]:
        """Yield all of it as it is, piece by piece: (samples, channels). Raises UnreadableFileError."""

    @abstractmethod
    def file(self, index: int) -> tuple[bytes, str]:
        """Return all of it as a file, and the suffix of its kind. Raises UnreadableFileError."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Sounds:
        """Return those at `rows`, without reading or copying any."""

    @abstractmethod
    def with_spec(self, spec: SoundSpec) -> Sounds:
        """Return the same recordings by another spec."""

    def length(self, index: int) -> int:
        """Return the samples at the spec's rate, a frame at least. Raises UnreadableFileError."""
        with self.opened(index) as sound:
            return sound.length

    def piece(self, index: int, start: int, count: int) -> Waveform:
        """Return up to `count` samples from `start` on. Raises UnreadableFileError."""
        with self.opened(index) as sound:
            return sound.piece(start, count)

    def read(self, index: int) -> Waveform:
        """Return all of it, (samples,). Raises UnreadableFileError."""
        with self.opened(index) as sound:
            return sound.piece(0, sound.length)

    def with_channels(self, channels: int) -> Sounds:
        """Return itself for 1; a spectrogram has one. Raises DataError for another number."""
        if channels != 1:
            got = f"recordings and {channels} channels"
            raise DataError("channels", got=got, expected="1", do="leave it out")
        return self
