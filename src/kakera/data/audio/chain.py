"""Files that contain several recordings one after another, read as one recording."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.decoder import Decoder, FaultError, Header
from kakera.data.audio.measured import Arrays, measured
from kakera.data.audio.source import Source

Opener = Callable[[int], Decoder]


class Chain(Decoder):
    """A chain of recordings ("links") with the same sample rate and channels; one link is open at a time.

    Example:

        >>> from kakera.data.audio.sndfile import Sndfile
        >>> from kakera.data.audio.wav import wav
        >>> content = wav(np.zeros((100, 1), np.float32), 16_000, "FLOAT")
        >>> Chain(content, 2, lambda number: Sndfile(content), "wav").header.samples
        200
    """

    def __init__(self, source: Source, count: int, opener: Opener, what: str) -> None:
        """Open the first of `count` links, and measure the lengths of all links once.

        `opener` opens a link by its number. `what` is the name under which the lengths are cached. Raises
        FaultError if the links differ in sample rate or channels, and the errors of `opener`.
        """
        self._open, self._number = opener, 0
        self._link = opener(0)
        try:
            found = measured(source, f"{what} lengths", lambda: _lengths(count, opener))
            rates, channels = set(found["rates"].tolist()), set(found["channels"].tolist())
            if len(rates) > 1 or len(channels) > 1:
                raise FaultError(differing(rates, channels))
        except BaseException:
            self._link.close()
            raise
        first = self._link.header
        self.subtype = self._link.subtype
        self._begins = [0, *accumulate(found["samples"].tolist())]
        note = f"{count} recordings one after another, read as one"
        self.header = Header(first.kind, first.rate, first.channels, self._begins[-1], note)

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """Read samples as `Decoder.read`, also across the ends of links."""
        pieces: list[NDArray[Any]] = [np.zeros((0, self.header.channels), dtype)]
        number = bisect_right(self._begins, first) - 1
        while first < min(last, self._begins[-1]):
            begin, end = self._begins[number], self._begins[number + 1]
            if end > first:
                until = min(last, end)
                pieces.append(self._at(number).read(first - begin, until - begin, dtype))
                if len(pieces[-1]) < until - first:
                    break
                first = until
            number += 1
        return np.concatenate(pieces)

    def close(self) -> None:
        """Close the open link."""
        self._link.close()

    def _at(self, number: int) -> Decoder:
        if number != self._number:
            self._link.close()
            self._link, self._number = self._open(number), number
        return self._link


def differing(rates: Sequence[int] | set[int], channels: Sequence[int] | set[int]) -> str:
    """Return the reason for a file whose parts have different sample rates or channels.

    Example:

        >>> differing({8_000, 16_000}, {1}).split(", ")[0]
        'got 8000 and 16000 Hz one after another in one file'
    """
    of_rates = " and ".join(str(rate) for rate in sorted(rates))
    of_channels = " and ".join(str(count) for count in sorted(channels))
    got = f"{of_rates} Hz" if len(rates) > 1 else f"{of_channels} channels"
    return f"got {got} one after another in one file, expected one rate and number of channels; split it"


def _lengths(count: int, opener: Opener) -> Arrays:
    headers: list[Header] = []
    for number in range(count):
        link = opener(number)
        headers.append(link.header)
        link.close()
    return {
        "rates": np.array([header.rate for header in headers]),
        "channels": np.array([header.channels for header in headers]),
        "samples": np.array([header.samples for header in headers]),
    }
