"""Decoding with libsndfile: WAV, FLAC, AIFF and similar formats, Ogg Vorbis and Opus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.decoder import Decoder, Header, extra
from kakera.data.audio.source import HeldFile, Source, ViewFile, opened

PREROLL = {"OPUS": 16_384}  # samples to decode before a piece, more than the codec's filters need
OGG = ("VORBIS", "OPUS")
# The positions of WAV's channels (left, right, centre, low, back, side) in Vorbis and Opus, by channel count.
FROM_OGG = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
STEP = 1 << 20  # samples read at a time if a file cannot seek


class Sndfile(Decoder):
    """A decoder of a file that libsndfile opens and whose length is known; channels are in WAV's order.

    Example:

        >>> from kakera.data.audio.wav import wav
        >>> file = Sndfile(wav(np.zeros((100, 2), np.float32), 16_000, "FLOAT"))
        >>> file.header.channels, file.read(20, 30).shape
        (2, (10, 2))
    """

    def __init__(self, source: Source, note: str = "", most: int | None = None) -> None:
        """Open a file. Raises the errors of soundfile.

        `most` is the number of samples if libsndfile counts too many. `note` is a note on an unusual file.
        """
        self._source = source
        self.latest: int | None = None  # the last sample to which libsndfile may seek; later ones are read
        self._file = self._open()
        file = self._file
        self.subtype: str = file.subtype
        self.log: str = file.extra_info
        samples = file.frames if most is None else min(most, file.frames)
        self.header = Header(file.format, file.samplerate, file.channels, samples, note)
        self._order = FROM_OGG.get(file.channels) if self.subtype in OGG else None

    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """Read samples as `Decoder.read`; reading one piece after another decodes nothing twice."""
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
        """Close the file."""
        self._file.close()

    def _open(self) -> Any:
        self._place: int | None = 0  # the position of the file in samples; None if unknown
        source: Any = self._source
        if isinstance(source, bytes):
            source = ViewFile(memoryview(source))  # unlike BytesIO, it allows seeks before byte 0
        elif isinstance(source, HeldFile):
            os.lseek(source.descriptor, 0, os.SEEK_SET)  # libsndfile reads from the current position
            return extra("soundfile", "audio").SoundFile(source.descriptor, closefd=False)
        elif not isinstance(source, Path):
            source = opened(source)
        return extra("soundfile", "audio").SoundFile(source)

    def _go(self, first: int) -> int:
        """Move the file to a sample at or before `first`, and return its number."""
        early = max(0, first - PREROLL.get(self.subtype, 0))
        if self.latest is not None:
            early = min(early, self.latest)
        if self._place is not None and early <= self._place <= first:
            return self._place
        if self._file.seekable():
            self._file.seek(early)
            return early
        if self._place is None or self._place > first:  # without seeking: start again
            self._file.close()
            self._file = self._open()
        assert self._place is not None
        return self._place
