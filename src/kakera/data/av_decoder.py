"""Recordings that FFmpeg's libraries decode, by PyAV: AAC, WMA, Speex, the sound of videos and much else.

Some of these decoders fill bands with noise of their own (AAC, AC-3) or remember all that was before (Speex):
after a seek they do not give what they give from the beginning. A file is therefore decoded once, from its
beginning, and its samples are kept.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.chain import differing
from kakera.data.decoder import Decoder, FaultError, Header, extra
from kakera.data.measured import Arrays, mapped_samples, measured, store_samples
from kakera.data.stored import Source, opened
from kakera.errors import MissingExtraError

SHORT = 8 << 20  # bytes of samples that are kept with what was measured
DURATION_KNOWN = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf")  # others guess it from the bit rate
SLACK = 0.5  # seconds that a duration may be wrong by
OPTIONS = {"err_detect": "explode"}  # what is damaged is an error, not silence
SCALES = {"u8": (128, 128), "s16": (0, 1 << 15), "s32": (0, 1 << 31), "s64": (0, 1 << 63)}

Values = NDArray[np.float32]


class Av(Decoder):
    """The first sound track of a file."""

    def __init__(self, source: Source, what: str) -> None:
        """`what` the file is, in a message. Raises FaultError, and what PyAV raises."""
        try:
            self._av = extra("av", "av")
        except MissingExtraError as error:
            reason = f"got {what}, expected the extra kakera[av], which reads it; pip install 'kakera[av]'"
            raise FaultError(reason) from error
        self._source = source
        found = measured(source, "av", self._measure)
        rate, channels, samples = found["whole"].tolist()
        kind, self.subtype = found["names"].tobytes().decode().split("\0")
        self.header = Header(kind, rate, channels, samples)
        self._values: Values | None = found.get("values")
        self._onwards, self._left = _nothing(), np.zeros((0, channels), np.float32)
        self._place = samples + 1  # of the sample after `left`: none yet

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
        """From the beginning, or from where the last piece ended: the samples could not be kept."""
        if first < self._place - len(self._left):
            self._onwards.close()
            self._onwards, self._place, self._left = self._pieces({}), 0, self._left[:0]
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
        state: dict[str, Any] = {}
        pieces, early, size = self._pieces(state), list[Values](), 0
        for values in pieces:
            early.append(values)
            size += values.nbytes
            if size > SHORT:
                break
        kept = {} if size > SHORT else {"values": np.concatenate(early or [np.zeros((0, 1), np.float32)])}
        if size > SHORT and not store_samples(self._source, chain(early, pieces), size):
            for _ in self._pieces(state := {}):
                pass
        names = f"{state['format'].split(',')[0].upper()}\0{state['codec'].upper()}"
        return {
            "whole": np.array([state["rate"], state["channels"], state["samples"]]),
            "names": np.frombuffer(names.encode(), np.uint8),
            **kept,
        }

    def _pieces(self, state: dict[str, Any]) -> Generator[Values]:
        """All samples, frame by frame; at the end `state` says what they are. Raises FaultError."""
        with self._track() as (container, stream):
            state |= {"format": container.format.name, "codec": stream.codec_context.name, "samples": 0}
            kinds: set[tuple[int, int]] = set()
            for frame in container.decode(stream):
                kinds.add((frame.sample_rate, frame.layout.nb_channels))
                if len(kinds) > 1:
                    raise FaultError(differing({rate for rate, _ in kinds}, {count for _, count in kinds}))
                state["samples"] += frame.samples
                yield _values(frame)
            if not kinds:
                raise FaultError("got no samples, expected at least one frame; leave it out")
            state["rate"], state["channels"] = kinds.pop()
            _require_whole(container, stream, state["samples"] / state["rate"])

    @contextmanager
    def _track(self) -> Generator[tuple[Any, Any]]:
        """The file, and its sound track."""
        source = str(self._source) if isinstance(self._source, Path) else opened(self._source)
        with self._av.open(source, options=OPTIONS) as container:
            streams = container.streams.audio
            if not streams:
                raise FaultError("got a file without sound, expected a sound track; leave it out")
            streams[0].codec_context.options = OPTIONS
            yield container, streams[0]


def _require_whole(container: Any, stream: Any, seconds: float) -> None:
    said = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if not said and len(container.streams) == 1:
        said = (container.duration or 0) / 1e6
    if container.format.name in DURATION_KNOWN and seconds < said - SLACK:
        got = f"got {seconds:.2f} of {said:.2f} s"
        raise FaultError(f"{got}, expected a whole recording; copy or export it again")


def _values(frame: Any) -> Values:
    """(samples, channels), 1 at full scale."""
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
    kind = frame.format.name.removesuffix("p")
    if kind not in SCALES:
        return np.ascontiguousarray(values, np.float32)
    middle, scale = SCALES[kind]
    return ((values.astype(np.float64) - middle) / scale).astype(np.float32)


def _nothing() -> Generator[Values]:
    yield from ()
