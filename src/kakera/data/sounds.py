"""The interface of all collections of recordings, wherever they are stored."""

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
"""Start and end in seconds of a part of a recording, which is used as if it were a whole recording."""
WHOLE: Span = (0.0, math.inf)


@dataclass(frozen=True)
class Header:
    """The header of a recording.

    `kind` is the format, `rate` the sample rate in Hz, and `samples` the length of one channel at that rate.

    Example:

        >>> header = Header("WAV", 44_100, 2, 88_200)
        >>> header.seconds, header.samples_at_rate(16_000)
        (2.0, 32000)
    """

    kind: str
    rate: int
    channels: int
    samples: int
    note: str = ""
    """A note about an unusual but readable file; "" for most files."""

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return self.samples / self.rate

    def samples_at_rate(self, rate: int) -> int:
        """Return the number of samples at another sample rate in Hz."""
        return self.samples * rate // self.rate


class RecordingReader(Protocol):
    """An open recording, from which pieces are read without opening its file again.

    Example:

        >>> from kakera.data.audio.recordings import ArraySounds
        >>> sounds = ArraySounds([np.arange(5, dtype=np.float32)], SoundSpec())
        >>> with sounds.opened(0) as sound:
        ...     print(sound.length, sound.piece(1, 2))
        5 [1. 2.]
    """

    @property
    def length(self) -> int:
        """The number of samples at the rate of the `SoundSpec`, at least one frame."""
        ...

    def piece(self, start: int, count: int) -> Waveform:
        """Return up to `count` samples from sample `start` on. Raises UnreadableFileError."""
        ...


class Sounds(Pictures):
    """A collection of n recordings.

    Waveforms are float32 (samples,), one channel at the sample rate of `spec`, with 1 as full scale.

    See `audio.recordings.ArraySounds`.
    """

    spec: SoundSpec
    spans: Sequence[Span] = ()
    """The span of each file; empty for recordings that are not in files."""

    @abstractmethod
    def opened(self, index: int) -> AbstractContextManager[RecordingReader]:
        """Open a recording, to read pieces of it. Raises UnreadableFileError, also inside the block."""

    @abstractmethod
    def header(self, index: int) -> Header:
        """Return the header, with the recording's own sample rate. Raises UnreadableFileError."""

    @abstractmethod
    def blocks(self, index: int) -> Iterator[Waveform]:
        """Yield the recording in pieces (samples, channels) at its own rate. Raises UnreadableFileError."""

    @abstractmethod
    def file(self, index: int) -> tuple[bytes, str]:
        """Return the recording as the bytes of a file, and its suffix. Raises UnreadableFileError."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Sounds:
        """Return the recordings at `rows`, without reading or copying any."""

    @abstractmethod
    def with_spec(self, spec: SoundSpec) -> Sounds:
        """Return the same recordings for another `SoundSpec`."""

    def length(self, index: int) -> int:
        """Return the number of samples at the rate of `spec`, at least one frame.

        Raises UnreadableFileError.
        """
        with self.opened(index) as sound:
            return sound.length

    def piece(self, index: int, start: int, count: int) -> Waveform:
        """Return up to `count` samples from sample `start` on. Raises UnreadableFileError."""
        with self.opened(index) as sound:
            return sound.piece(start, count)

    def read(self, index: int) -> Waveform:
        """Return the whole waveform, float32 (samples,). Raises UnreadableFileError."""
        with self.opened(index) as sound:
            return sound.piece(0, sound.length)

    def with_channels(self, channels: int) -> Sounds:
        """Return the recordings unchanged, since a spectrogram has 1 channel. Raises DataError for others."""
        if channels != 1:
            got = f"recordings and {channels} channels"
            raise DataError("channels", got=got, expected="1", do="leave out --channels")
        return self
