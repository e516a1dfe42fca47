"""A recording decoded once, from its beginning, and kept: for decoders that cannot begin anywhere else."""

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

SHORT = 8 << 20  # bytes of samples that are kept with what was measured; more are written to be mapped

MOST = 1 << 30  # bytes of samples of what is not on disk, as an upload

Values = NDArray[np.float32]


class KeptSamples(Decoder):
    """What `pieces` gives; where there is no room to keep it, it is decoded again up to what is asked for."""

    def __init__(self, source: Source, what: str) -> None:
        """`what` names the decoder, for the disk. Raises as `pieces`."""
        self._source = source
        found = measured(source, what, self._measure)
        rate, channels, samples = found["whole"].tolist()
        kind, self.subtype = found["names"].tobytes().decode().split("\0")
        self.header = Header(kind, rate, channels, samples)
        self._values: Values | None = found.get("values")
        self._onwards, self._left = _nothing(), np.zeros((0, channels), np.float32)
        self._place = samples + 1  # of the sample after `left`: none yet

    @abstractmethod
    def pieces(self) -> Generator[Values, None, Header]:
        """All samples from the beginning, (n, channels); at the end what they are. It sets `subtype`.

        Raises FaultError, and what its library raises.
        """

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """As every decoder."""
        if self._values is None:
            self._values = mapped_samples(self._source, self.header.samples, self.header.channels)
        values = self._decoded(first, last) if self._values is None else self._values[first:last]
        return np.array(values, dtype)

    def close(self) -> None:
        """Let go of the file."""
        self._onwards.close()

    def _decoded(self, first: int, last: int) -> Values:
        """From the beginning, or from where the last piece ended."""
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
    """Pieces to iterate over, in parts; then the header that came with the last."""

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
            raise FaultError(f"{got}, expected a shorter recording; cut it, or read it from a file")
        return values


def _nothing() -> Generator[Values, None, Header]:
    yield from ()
    return Header("", 1, 1, 0)


class Onwards(KeptSamples):
    """Another decoder's samples decoded from the beginning; they are kept when a place is first sought."""

    def __init__(self, source: Source, other: Decoder, what: str) -> None:
        """`other` is closed with it."""
        self._other, self._sought, self._next = other, False, 0
        self.header, self.subtype = other.header, other.subtype
        self._source, self._what = source, what

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """As every decoder; from the beginning piece by piece nothing is kept."""
        if not self._sought and first == self._next:
            values = self._other.read(first, last, dtype)
            self._next = first + len(values)
            return values
        if not self._sought:
            super().__init__(self._source, self._what)
            self._sought = True
        return super().read(first, last, dtype)

    def pieces(self) -> Generator[Values, None, Header]:
        """In steps of ten seconds."""
        header, place = self._other.header, 0
        while place < header.samples:
            values = self._other.read(place, min(place + 10 * header.rate, header.samples))
            if not len(values):
                break
            place += len(values)
            yield values
        return replace(header, samples=place)

    def close(self) -> None:
        """Both."""
        if self._sought:
            super().close()
        self._other.close()
