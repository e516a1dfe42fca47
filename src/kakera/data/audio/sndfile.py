"""Recordings that libsndfile decodes: WAV, FLAC, AIFF and the like, Ogg Vorbis and Opus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.decoder import Decoder, Header, extra
from kakera.data.audio.source import HeldFile, Source, ViewFile, opened

PREROLL = {"OPUS": 16_384}  # samples before a place from which its filters have settled, and more
OGG = ("VORBIS", "OPUS")
# Where the channels of WAV (left, right, centre, low, back, side) stand in Vorbis and Opus, by their number.
FROM_OGG = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
STEP = 1 << 20  # samples read at a time where a file can only be read onwards


class Sndfile(Decoder):
    """A file that libsndfile opens and whose length it knows; the channels in the order that WAV has."""

    def __init__(self, source: Source, note: str = "", most: int | None = None) -> None:
        """`most` samples where the header says fewer than libsndfile counts. Raises what soundfile raises."""
        self._source = source
        self.latest: int | None = None  # the sample that may be sought at most; from there it is read on
        self._file = self._open()
        file = self._file
        self.subtype: str = file.subtype
        self.log: str = file.extra_info
        samples = file.frames if most is None else min(most, file.frames)
        self.header = Header(file.format, file.samplerate, file.channels, samples, note)
        self._order = FROM_OGG.get(file.channels) if self.subtype in OGG else None

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """As every decoder; where the file stands at `first` already, nothing is decoded twice."""
        place, self._place = self._go(first), None
        while first - place > STEP:
            passed = len(self._file.read(STEP, dtype=dtype, always_2d=True))
            if not passed:
                return np.zeros((0, self.header.channels), dtype)
            place += passed
        values = self._file.read(last - place, dtype=dtype, always_2d=True)[first - place :]
        self._place = first + len(values)
        return values if self._order is None else values[:, self._order]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _open(self) -> Any:
        self._place: int | None = 0  # where the file stands, or that nobody knows
        source: Any = self._source
        if isinstance(source, bytes):
            source = ViewFile(memoryview(source))  # a damaged file may seek to before its beginning
        elif isinstance(source, HeldFile):
            os.lseek(source.descriptor, 0, os.SEEK_SET)  # libsndfile takes where it stands for its beginning
            return extra("soundfile", "audio").SoundFile(source.descriptor, closefd=False)
        elif not isinstance(source, Path):
            source = opened(source)
        return extra("soundfile", "audio").SoundFile(source)

    def _go(self, first: int) -> int:
        """The place at or before `first` where the file stands after this."""
        early = max(0, first - PREROLL.get(self.subtype, 0))
        if self.latest is not None:
            early = min(early, self.latest)
        if self._place is not None and early <= self._place <= first:
            return self._place
        if self._file.seekable():
            self._file.seek(early)
            return early
        if self._place is None or self._place > first:  # it can only be read onwards
            self._file.close()
            self._file = self._open()
        assert self._place is not None
        return self._place
