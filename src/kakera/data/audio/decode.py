"""One recording, whatever its kind, rate and channels: its header, and any piece of it at any rate."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio import errors
from kakera.data.audio.decoder import Decoder, FaultError, extra
from kakera.data.audio.open_decoder import open_decoder
from kakera.data.audio.sndfile import Sndfile
from kakera.data.audio.source import Source, Stored, held
from kakera.data.sounds import WHOLE, Header, Span, Waveform
from kakera.errors import KakeraError, UnreadableFileError, printable
from kakera.out_of_memory import raise_lack
from kakera.sound.spec import MIX

_PLAIN = ".wav .wave .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .au .snd .caf .w64 .rf64"
_SOUND = ".m4a .m4b .aac .wma .spx .wv .tta .ape .mpc .amr .ac3 .mka .3gp"
_VIDEO = ".mp4 .m4v .mov .mkv .webm .avi .wmv .flv .mpg .mpeg"
WITHOUT_AV = frozenset(_PLAIN.split())
WITH_AV = frozenset(f"{_SOUND} {_VIDEO}".split())  # by the extra kakera[av]
SUFFIXES = WITHOUT_AV | WITH_AV
MARGIN = 256  # samples of the lower rate, twice what the resampling filter sees to either side


class OpenRecording:
    """A span of a recording, open: `header` is that of the span, `whole` that of the file."""

    def __init__(self, source: Source, file: Decoder, whole: Header, span: Span) -> None:
        self._source, self._file, self.whole = source, file, whole
        self._begin, end = _edges(whole, span)
        self.header = replace(whole, samples=end - self._begin)

    def read(self, rate: int, channel: int = MIX, start: int = 0, count: int | None = None) -> Waveform:
        """Samples `start` … `start + count` − 1, as `read` of the module says. Raises UnreadableFileError."""
        _check(self._source)
        found = self.header
        if channel >= found.channels:
            reason = (
                f"got {found.channels} channels, expected one of number {channel}; choose another channel"
            )
            raise UnreadableFileError(name(self._source), reason)
        stop = found.at(rate) if count is None else min(start + count, found.at(rate))
        if stop <= start:
            return np.zeros(0, np.float32)
        common = gcd(found.rate, rate)
        own, wanted = found.rate // common, rate // common  # after so many samples the two meet again
        margin = MARGIN * max(found.rate, rate) if found.rate != rate else 0  # in the file's samples, × rate
        first = max(0, (start * found.rate - margin) // (rate * own)) * own
        last = min(found.samples, -(-(stop * found.rate + margin) // rate))
        values = _samples(self._source, self._file, self._begin + first, self._begin + last, channel)
        if found.rate != rate:
            values = extra("soxr", "audio").resample(values, found.rate, rate, quality="HQ")
        skipped = start - first // own * wanted
        piece = np.zeros(stop - start, np.float32)  # the last sample may lie beyond what the filter gives
        there = values[skipped : skipped + len(piece)]
        piece[: len(there)] = there
        return piece


@contextmanager
def opened(source: Source, span: Span = WHOLE) -> Generator[OpenRecording]:
    """A span, open: its file is opened once. Raises UnreadableFileError, MissingExtraError."""
    with _opened(source) as (file, found):
        yield OpenRecording(source, file, found, span)


def header(source: Source, span: Span = WHOLE) -> Header:
    """Of the span, without decoding. Raises UnreadableFileError, MissingExtraError."""
    with opened(source, span) as recording:
        return recording.header


def read(
    source: Source,
    rate: int,
    channel: int = MIX,
    start: int = 0,
    count: int | None = None,
    span: Span = WHOLE,
) -> Waveform:
    """Samples `start` … `start + count` − 1 of a span, counted at `rate`, of one channel or the mean of all.

    1 is full scale. Only this piece is read, and it equals the same piece of the whole span after
    resampling (to 1e-6): it is resampled with what surrounds it, and begins where both rates have a
    sample. Shorter where the span ends. Raises UnreadableFileError, MissingExtraError.
    """
    with opened(source, span) as recording:
        return recording.read(rate, channel, start, count)


def blocks(
    source: Source, span: Span = WHOLE, seconds: float = 10.0, dtype: str = "float32"
) -> Iterator[NDArray[Any]]:
    """A span piece by piece: (samples, channels) at the recording's own rate; integers at their full scale.

    Raises UnreadableFileError, MissingExtraError.
    """
    with _opened(source) as (file, found):
        _check(source)
        step = max(1, int(seconds * found.rate))
        begin, end = _edges(found, span)
        for first in range(begin, end, step):
            yield _every_channel(source, file, first, min(first + step, end), dtype)


def subtype(source: Source) -> str:
    """How its samples are stored, in libsndfile's words: PCM_16, VORBIS. Raises as `header` does."""
    with _opened(source) as (file, _):
        return file.subtype


def name(source: Source) -> str:
    """What to call it in a message."""
    return "recording" if isinstance(source, bytes) else printable(source)


def _check(source: Source) -> None:
    if isinstance(source, Stored):
        source.check()


def _edges(found: Header, span: Span) -> tuple[int, int]:
    """The first sample and the one after the last, at the file's own rate."""
    first, last = (round(min(edge, found.seconds) * found.rate) for edge in span)
    return first, last


def _samples(source: Source, file: Decoder, first: int, last: int, channel: int) -> Waveform:
    values = _every_channel(source, file, first, last)
    return values.mean(axis=1) if channel == MIX else np.ascontiguousarray(values[:, channel])


def _every_channel(
    source: Source, file: Decoder, first: int, last: int, dtype: str = "float32"
) -> NDArray[Any]:
    with _faults(source):
        values = file.read(first, last, dtype)
    if len(values) < last - first:
        reason = errors.cut_short(first + len(values), file.header.samples)
        raise UnreadableFileError(name(source), reason)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        where = (first + int(np.argmin(finite))) / file.header.rate
        reason = f"got a value that is no number at {where:.3f} s, expected −1 to 1; export it again"
        raise UnreadableFileError(name(source), reason)
    return values


@contextmanager
def _opened(source: Source) -> Generator[tuple[Decoder, Header]]:
    with ExitStack() as stack:
        with _faults(source):
            file = open_decoder(stack.enter_context(held(source)))
        stack.callback(file.close)
        found, log = file.header, file.log if isinstance(file, Sndfile) else ""
        fault = errors.inside(found.rate, found.samples, log)
        if fault:
            raise UnreadableFileError(name(source), fault)
        yield file, replace(found, note=found.note or errors.note(log))


@contextmanager
def _faults(source: Source) -> Generator[None]:
    """What goes wrong within is an UnreadableFileError that names the file; our own errors stay."""
    try:
        yield
    except FaultError as error:
        raise UnreadableFileError(name(source), str(error)) from error
    except KakeraError:
        raise
    except Exception as error:  # decoders raise several kinds of error on broken files
        raise_lack(error)
        if type(error).__module__ == "builtins" and isinstance(error, OSError) and error.strerror:
            reason = errors.unopened(error)
        else:
            reason = errors.damage(error)
        raise UnreadableFileError(name(source), reason) from error
