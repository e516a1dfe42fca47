"""Recordings, read whole or in pieces, on disk or in memory, at the rate and channel of a SoundSpec."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio import decode
from kakera.data.audio.source import Source, Stored
from kakera.data.audio.wav import as_file, wav
from kakera.data.names import taken
from kakera.data.sounds import WHOLE, Header, RecordingReader, Sounds, Span, Waveform
from kakera.errors import DataError, UnreadableFileError
from kakera.sound.spec import SoundSpec


class FileSounds(Sounds):
    """Recordings on disk, or what is in files, or spans of them in seconds; decoded when they are read."""

    on_disk = True

    def __init__(self, paths: Sequence[Source], spec: SoundSpec, spans: Sequence[Span] = ()) -> None:
        self.paths, self.spec = paths, spec
        self.spans = spans or [WHOLE] * len(paths)
        self._noted: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @contextmanager
    def opened(self, index: int) -> Generator[RecordingReader]:
        """Open the file once. Raises UnreadableFileError where less than a frame is there."""
        with _named(self.name(index)), decode.opened(self.paths[index], self.spans[index]) as recording:
            self._note(index, recording.header)
            samples = recording.header.at(self.spec.rate)
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
        """What is unusual, by name, about those that this process has looked into."""
        return self._noted

    def _note(self, index: int, found: Header) -> None:
        if found.note:
            self._noted[self.name(index)] = found.note

    def blocks(self, index: int) -> Iterator[NDArray[np.float32]]:
        """Decoded, and no more."""
        with _named(self.name(index)):
            yield from decode.blocks(self.paths[index], self.spans[index])

    def file(self, index: int) -> tuple[bytes, str]:
        """The file itself, or of a span a WAV of exactly its samples."""
        with _named(self.name(index)):
            return as_file(self.paths[index], self.spans[index])

    def name(self, index: int) -> str:
        """The path, and the span where there is one."""
        return spanned(decode.name(self.paths[index]), self.spans[index])

    def is_here(self, index: int) -> bool:
        """Whether the file is on this machine, and not in a shard still to be fetched."""
        source = self.paths[index]
        return source.is_here() if isinstance(source, Stored) else True

    def take(self, rows: NDArray[np.int64]) -> FileSounds:
        """Other paths and spans."""
        return FileSounds(taken(self.paths, rows), self.spec, taken(self.spans, rows))

    def with_spec(self, spec: SoundSpec) -> FileSounds:
        """Nothing is read yet."""
        return FileSounds(self.paths, spec, self.spans)


@dataclass(frozen=True)
class _OpenFile:
    recording: decode.OpenRecording
    spec: SoundSpec
    length: int
    name: str

    def piece(self, start: int, count: int) -> Waveform:
        """Return what is decoded and resampled, no more than is asked for."""
        with _named(self.name):
            return self.recording.read(self.spec.rate, self.spec.channel, start, count)


@contextmanager
def _named(name: str) -> Generator[None]:
    """Errors speak of the span, not of the whole file."""
    try:
        yield
    except UnreadableFileError as error:
        raise UnreadableFileError(name, error.reason) from error


def spanned(name: str, span: Span) -> str:
    """What to call a span of a recording."""
    start, end = span
    return name if span == WHOLE else f"{name}[{start:.10g}–{'' if math.isinf(end) else f'{end:.10g}'} s]"


@dataclass(frozen=True)
class _OpenArray:
    values: Waveform

    @property
    def length(self) -> int:
        return len(self.values)

    def piece(self, start: int, count: int) -> Waveform:
        """Return a view of what is stored."""
        return self.values[start : start + count]


class ArraySounds(Sounds):
    """Waveforms in memory, each (samples,) at the spec's rate."""

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
        """Return the array, and views of it."""
        yield _OpenArray(self.arrays[self.rows[index]])

    def shape(self, index: int) -> tuple[int, ...]:
        """Return (samples,)."""
        return self.arrays[self.rows[index]].shape

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

    def with_spec(self, spec: SoundSpec) -> ArraySounds:
        """Raises DataError for another rate or channel: what was dropped cannot be heard again."""
        if (spec.rate, spec.channel) != (self.spec.rate, self.spec.channel):
            raise DataError(
                "recordings in memory",
                got=f"{spec.rate} Hz, channel {spec.channel}",
                expected=f"{self.spec.rate} Hz and channel {self.spec.channel}, as they are",
                do="open them from files",
            )
        return ArraySounds(self.arrays, spec, self.names, self.rows)


class Spans(Sequence[Span]):
    """Start and end of each in seconds: (n, 2), 16 bytes a span."""

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
