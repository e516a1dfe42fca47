"""Decoding with FFmpeg's libraries through PyAV: AAC, WMA, Speex, sound tracks of videos and others.

Some of these decoders fill bands with random noise (AAC, AC-3) or depend on all earlier samples (Speex).
After a seek their output differs from that of decoding from the beginning. So a file is decoded once, from
its beginning, and its samples are stored.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kakera.data.audio.chain import differing
from kakera.data.audio.decoder import FaultError, Header, extra
from kakera.data.audio.kept_samples import KeptSamples, Values
from kakera.data.audio.source import HeldFile, Source, opened
from kakera.errors import MissingExtraError

DURATION_KNOWN = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf")  # others guess it from the bit rate
SLACK = 0.5  # seconds of tolerance for the duration in the header
OPTIONS = {"err_detect": "explode"}  # damaged data raise an error instead of becoming silence
PLANES = 8  # with this many planar channels or more, PyAV reads memory outside of the frame
SCALES = {"u8": (128, 128), "s16": (0, 1 << 15), "s32": (0, 1 << 31), "s64": (0, 1 << 63)}


class Av(KeptSamples):
    """The first sound track of a file."""

    def __init__(self, source: Source, what: str) -> None:
        """Decode the file, or load its stored samples.

        `what` describes the file in messages. Raises FaultError, and the errors of PyAV.
        """
        try:
            self._av = extra("av", "av")
        except MissingExtraError as error:
            reason = f"got {what}, which needs the extra kakera[av]; pip install 'kakera[av]'"
            raise FaultError(reason) from error
        super().__init__(source, "av")

    def pieces(self) -> Generator[Values, None, Header]:
        """Decode frame by frame. Raises FaultError, and the errors of PyAV."""
        kinds, samples = set[tuple[int, int]](), 0
        with self._track() as (container, stream):
            self.subtype = stream.codec_context.name.upper()
            for frame in container.decode(stream):
                kinds.add((frame.sample_rate, frame.layout.nb_channels))
                if len(kinds) > 1:
                    raise FaultError(differing({rate for rate, _ in kinds}, {count for _, count in kinds}))
                samples += frame.samples
                yield _values(frame)
            if not kinds:
                raise FaultError("got no samples, expected at least one frame; leave it out")
            rate, channels = kinds.pop()
            _require_whole(container, stream, samples / rate)
            return Header(container.format.name.split(",")[0].upper(), rate, channels, samples)

    @contextmanager
    def _track(self) -> Generator[tuple[Any, Any]]:
        """Open the file, and yield it with its first sound track."""
        by_name = isinstance(self._source, Path | HeldFile)  # the library opens the path itself: faster
        source = str(self._source) if by_name else opened(self._source)
        with self._av.open(source, options=OPTIONS) as container:
            streams = container.streams.audio
            if not streams:
                raise FaultError("got a file without sound, expected a sound track; leave it out")
            streams[0].codec_context.options = OPTIONS
            yield container, streams[0]


def _require_whole(container: Any, stream: Any, seconds: float) -> None:
    expected = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if not expected and len(container.streams) == 1:
        expected = (container.duration or 0) / 1e6
    if container.format.name in DURATION_KNOWN and seconds < expected - SLACK:
        got = f"got {seconds:.2f} of {expected:.2f} s"
        raise FaultError(f"{got}, expected a complete recording; copy or export it again")


def _values(frame: Any) -> Values:
    """Return the samples of a frame, float32 (samples, channels), with 1 as full scale."""
    if frame.format.is_planar and frame.layout.nb_channels >= PLANES:
        av = extra("av", "av")
        (frame,) = av.AudioResampler(format=frame.format.packed).resample(frame)
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
    kind = frame.format.name.removesuffix("p")
    if kind not in SCALES:
        return np.ascontiguousarray(values, np.float32)
    middle, scale = SCALES[kind]
    return ((values.astype(np.float64) - middle) / scale).astype(np.float32)
