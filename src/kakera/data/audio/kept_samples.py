"""Storage of decoded samples, for decoders that must start at the beginning of a recording."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.decoder import Decoder, FaultError, Header
from kakera.data.audio.measured import Arrays, mapped_samples, measured, store_samples
from kakera.data.audio.source import Source

SHORT = 8 << 20  # bytes of samples that are stored with the measurements; more go to a file to be mapped

MOST = 1 << 30  # bytes: the most samples of a recording that is not on disk, such as an upload

Values = NDArray[np.float32]


class KeptSamples(Decoder):
    """A decoder that stores the samples of `pieces`.

    If there is no room to store them, each `read` decodes again up to the requested samples.

    See `Onwards`.
    """

    def __init__(self, source: Source, what: str) -> None:
        """Decode the source once; `what` is the name under which the samples are cached.

        Raises the errors of `pieces`.
        """
        self._source = source
        found = measured(source, what, self._measure)
        rate, channels, samples = found["whole"].tolist()
        kind, self.subtype = found["names"].tobytes().decode().split("\0")
        self.header = Header(kind, rate, channels, samples)
        self._values: Values | None = found.get("values")
        self._onwards, self._left = _nothing(), np.zeros((0, channels), np.float32)
        self._place = samples + 1  # the number of the sample after `left`; here no sample yet

    @abstractmethod
    def pieces(self) -> Generator[Values, None, Header]:
        """Yield all samples from the beginning, float32 (n, channels), and return the header at the end.

        This method also sets `subtype`. Raises FaultError, and the errors of the library.
        """

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """Read samples as `Decoder.read`."""
        if self._values is None:
            self._values = mapped_samples(self._source, self.header.samples, self.header.channels)
        values = self._decoded(first, last) if self._values is None else self._values[first:last]
        return np.array(values, dtype)

    def close(self) -> None:
        """Close the file."""
        self._onwards.close()

    def _decoded(self, first: int, last: int) -> Values:
        """Decode from the beginning, or from the end of the last piece."""
        if first < self._place - len(self._left):
            self._onwards.close()
            self._onwards, self._place, self._left = self.pieces(), 0, self._left[:0]
        begin, pieces = self._place - len(self._left), [self._left]
        while self._place < last and (values := next(self._onwards, None)) is not None:
            self._place += len(values)
            if self._place > first:
                pieces.append(values)
            else:
                begin, pieces = self._place, [values[:0]]
        whole = np.concatenate(pieces)
        self._left = whole[max(0, last - begin) :]
        return whole[max(0, first - begin) : last - begin]

    def _measure(self) -> Arrays:
        running = _Running(self.pieces())
        early, size = list[Values](), 0
        running.most = MOST if isinstance(self._source, bytes) else None
        for values in running:
            early.append(values)
            size += values.nbytes
            if size > SHORT:
                break
        kept: Arrays = {}
        if size <= SHORT:
            kept["values"] = np.concatenate(early)
        elif not store_samples(self._source, chain(early, running), size):
            for _ in running:
                pass
        header = running.header
        assert header is not None
        return {
            "whole": np.array([header.rate, header.channels, header.samples]),
            "names": np.frombuffer(f"{header.kind}\0{self.subtype}".encode(), np.uint8),
            **kept,
        }


class _Running:
    """An iterator over pieces, also in several loops; `header` is set after the last piece."""

    def __init__(self, pieces: Generator[Values, None, Header]) -> None:
        self._pieces, self.header, self._size = pieces, None, 0
        self.most: int | None = None  # bytes

    def __iter__(self) -> _Running:
        return self

    def __next__(self) -> Values:
        try:
            values = next(self._pieces)
        except StopIteration as stop:
            self.header = self.header or stop.value
            raise
        self._size += values.nbytes
        if self.most is not None and self._size > self.most:
            got = f"got more than {self.most:,} bytes of samples"
            raise FaultError(f"{got}, expected a shorter recording; cut it, or open it as a file")
        return values


def _nothing() -> Generator[Values, None, Header]:
    yield from ()
    return Header("", 1, 1, 0)


class Onwards(KeptSamples):
    """A decoder that reads another decoder from the beginning, and stores its samples at the first seek.

    Example:

        >>> from kakera.data.audio.sndfile import Sndfile
        >>> from kakera.data.audio.wav import wav
        >>> content = wav(np.zeros((1600, 1), np.float32), 16_000, "FLOAT")
        >>> Onwards(content, Sndfile(content), "samples").read(100, 200).shape
        (100, 1)
    """

    def __init__(self, source: Source, other: Decoder, what: str) -> None:
        """Wrap the decoder `other`, which `close` closes too; `what` is the name of the cached samples."""
        self._other, self._sought, self._next = other, False, 0
        self.header, self.subtype = other.header, other.subtype
        self._source, self._what = source, what

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """Read samples as `Decoder.read`; reading piece by piece from the beginning stores nothing."""
        if not self._sought and first == self._next:
            values = self._other.read(first, last, dtype)
            self._next = first + len(values)
            return values
        if not self._sought:
            super().__init__(self._source, self._what)
            self._sought = True
        return super().read(first, last, dtype)

    def pieces(self) -> Generator[Values, None, Header]:
        """Decode in steps of ten seconds."""
        header, place = self._other.header, 0
        while place < header.samples:
            values = self._other.read(place, min(place + 10 * header.rate, header.samples))
            if not len(values):
                break
            place += len(values)
            yield values
        return replace(header, samples=place)

    def close(self) -> None:
        """Close both decoders."""
        if self._sought:
            super().close()
        self._other.close()
