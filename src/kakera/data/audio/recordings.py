"""Recordings on disk or in memory, read in whole or in pieces at the rate and channel of a `SoundSpec`."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio import decode
from kakera.data.audio.source import AudioSource, Source
from kakera.data.audio.wav import as_file, wav
from kakera.data.names import take_rows
from kakera.data.sounds import WHOLE, Header, RecordingReader, Sounds, Span, Waveform
from kakera.errors import DataError, UnreadableFileError
from kakera.sound.spec import SoundSpec


class FileSounds(Sounds):
    """Recordings in files, or spans of them in seconds; they are decoded each time they are read.

    `paths` are paths, bytes or stored files. `spans` has one (start, end) in seconds for each path; the
    default is the whole recording.

    Example:

        >>> content = wav(np.zeros((1600, 1), np.float32), 16_000, "FLOAT")
        >>> sounds = FileSounds([content], SoundSpec(), [(0.0, 0.05)])
        >>> sounds.read(0).shape, sounds.name(0)
        ((800,), 'recording[0–0.05 s]')
    """

    on_disk = True

    def __init__(self, paths: Sequence[Source], spec: SoundSpec, spans: Sequence[Span] = ()) -> None:
        self.paths, self.spec = paths, spec
        self.spans = spans or [WHOLE] * len(paths)
        self._noted: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @contextmanager
    def opened(self, index: int) -> Generator[RecordingReader]:
        """Open a recording, to read several pieces. Raises UnreadableFileError if it is below one frame."""
        with _named(self.name(index)), decode.opened(self.paths[index], self.spans[index]) as recording:
            self._note(index, recording.header)
            samples = recording.header.samples_at_rate(self.spec.rate)
            if samples < self.spec.frame_samples:
                got = f"{samples / self.spec.rate * 1000:.3g} ms"
                if self.spans[index][0] > 0:
                    got += f" in a recording of {recording.whole.seconds:.3g} s"
                reason = f"got {got}, expected at least a frame of {self.spec.frame:g} ms; leave it out"
                raise UnreadableFileError(self.name(index), reason)
            yield _OpenFile(recording, self.spec, samples, self.name(index))

    def header(self, index: int) -> Header:
        """Return the header of the span."""
        with _named(self.name(index)):
            found = decode.header(self.paths[index], self.spans[index])
        self._note(index, found)
        return found

    @property
    def noted(self) -> dict[str, str]:
        """Notes about unusual files that this process has opened, by name."""
        return self._noted

    def _note(self, index: int, found: Header) -> None:
        if found.note:
            self._noted[self.name(index)] = found.note

    def blocks(self, index: int) -> Iterator[NDArray[np.float32]]:
        """Yield the recording in pieces (samples, channels) at its own sample rate."""
        with _named(self.name(index)):
            yield from decode.blocks(self.paths[index], self.spans[index])

    def file(self, index: int) -> tuple[bytes, str]:
        """Return the bytes of the file and its suffix; for a span, a WAV file of exactly its samples."""
        with _named(self.name(index)):
            return as_file(self.paths[index], self.spans[index])

    def name(self, index: int) -> str:
        """Return the path, with the span in brackets if there is one."""
        return spanned(decode.name(self.paths[index]), self.spans[index])

    def is_local(self, index: int) -> bool:
        """Return True if the file is on this machine, False if its shard must still be downloaded."""
        source = self.paths[index]
        return source.is_local() if isinstance(source, AudioSource) else True

    def take(self, rows: NDArray[np.int64]) -> FileSounds:
        """Return the recordings at `rows`."""
        return FileSounds(take_rows(self.paths, rows), self.spec, take_rows(self.spans, rows))

    def with_spec(self, spec: SoundSpec) -> FileSounds:
        """Return the same recordings for another `SoundSpec`; nothing is read yet."""
        return FileSounds(self.paths, spec, self.spans)


@dataclass(frozen=True)
class _OpenFile:
    recording: decode.OpenRecording
    spec: SoundSpec
    length: int
    name: str

    def piece(self, start: int, count: int) -> Waveform:
        """Decode and resample only the requested samples."""
        with _named(self.name):
            return self.recording.read(self.spec.rate, self.spec.channel, start, count)


@contextmanager
def _named(name: str) -> Generator[None]:
    """Replace the file's name in errors by the name of the span."""
    try:
        yield
    except UnreadableFileError as error:
        raise UnreadableFileError(name, error.reason) from error


def spanned(name: str, span: Span) -> str:
    """Return the name of a span for messages, such as "a.wav[0–2.5 s]".

    Example:

        >>> spanned("bird.wav", (0.0, 2.5))
        'bird.wav[0–2.5 s]'
    """
    start, end = span
    return name if span == WHOLE else f"{name}[{start:.10g}–{'' if math.isinf(end) else f'{end:.10g}'} s]"


@dataclass(frozen=True)
class _OpenArray:
    values: Waveform

    @property
    def length(self) -> int:
        return len(self.values)

    def piece(self, start: int, count: int) -> Waveform:
        """Return a view of the stored samples."""
        return self.values[start : start + count]


class ArraySounds(Sounds):
    """Recordings in memory: waveforms float32 (samples,) at the sample rate of `spec`.

    `names` belong to the arrays. `rows` selects arrays without a copy; the default selects all.

    Example:

        >>> sounds = ArraySounds([np.zeros(1600, np.float32)], SoundSpec(), ["bird"])
        >>> len(sounds), sounds.name(0), sounds.length(0)
        (1, 'bird', 1600)
    """

    in_memory = True

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

    @contextmanager
    def opened(self, index: int) -> Generator[RecordingReader]:
        """Open a recording; its pieces are views of the array."""
        yield _OpenArray(self.arrays[self.rows[index]])

    def shape(self, index: int) -> tuple[int, ...]:
        """Return (samples,)."""
        return self.arrays[self.rows[index]].shape

    def header(self, index: int) -> Header:
        """Return the header of an array: kind "memory", one channel."""
        return Header("memory", self.spec.rate, 1, self.length(index))

    def blocks(self, index: int) -> Iterator[NDArray[np.float32]]:
        """Yield the whole array as one piece (samples, 1)."""
        yield self.read(index)[:, None]

    def file(self, index: int) -> tuple[bytes, str]:
        """Return a WAV file of the same floats, and its suffix."""
        return wav(self.read(index)[:, None], self.spec.rate, "FLOAT"), ".wav"

    def name(self, index: int) -> str:
        """Return the name of the array, or "recording[NUMBER]" without names."""
        row = int(self.rows[index])
        return self.names[row] if self.names else f"recording[{row}]"

    def take(self, rows: NDArray[np.int64]) -> ArraySounds:
        """Return the recordings at `rows`, without copying the arrays."""
        return ArraySounds(self.arrays, self.spec, self.names, self.rows[rows])

    def with_spec(self, spec: SoundSpec) -> ArraySounds:
        """Return the same recordings for another `SoundSpec`.

        Raises DataError for another sample rate or channel, because the original samples are not stored.
        """
        if (spec.rate, spec.channel) != (self.spec.rate, self.spec.channel):
            raise DataError(
                "recordings in memory",
                got=f"{spec.rate} Hz, channel {spec.channel}",
                expected=f"{self.spec.rate} Hz and channel {self.spec.channel}, as stored",
                do="open them from files",
            )
        return ArraySounds(self.arrays, spec, self.names, self.rows)


class Spans(Sequence[Span]):
    """A sequence of spans, stored as starts and ends in seconds (n, 2), with 16 bytes per span.

    Example:

        >>> spans = Spans(np.array([[0.0, 1.0], [2.0, 2.5]]))
        >>> len(spans), spans[1]
        (2, (2.0, 2.5))
    """

    def __init__(self, seconds: NDArray[np.float64]) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self.seconds)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> Spans: ...
    def __getitem__(self, index: int | slice) -> Span | Spans:
        if isinstance(index, slice):
            return Spans(self.seconds[index])
        start, end = self.seconds[index].tolist()
        return start, end

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> NDArray[np.float64]:
        return np.array(self.seconds, dtype, copy=copy)

    def take(self, rows: NDArray[np.int64]) -> Spans:
        """Return the spans at `rows`."""
        return Spans(self.seconds[rows])
