"""Decoding of one recording of any format: its header, and any piece of it at any sample rate."""

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
from kakera.data.audio.source import AudioSource, Source, held
from kakera.data.sounds import WHOLE, Header, Span, Waveform
from kakera.errors import KakeraError, UnreadableFileError, printable
from kakera.out_of_memory import raise_out_of_memory
from kakera.sound.spec import MIX

_PLAIN = ".wav .wave .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .au .snd .caf .w64 .rf64"
_SOUND = ".m4a .m4b .aac .wma .spx .wv .tta .ape .mpc .amr .ac3 .mka .3gp"
_VIDEO = ".mp4 .m4v .mov .mkv .webm .avi .wmv .flv .mpg .mpeg"
WITHOUT_AV = frozenset(_PLAIN.split())
WITH_AV = frozenset(f"{_SOUND} {_VIDEO}".split())  # by the extra kakera[av]
SUFFIXES = WITHOUT_AV | WITH_AV
MARGIN = 256  # samples at the lower rate: twice the reach of the resampling filter on each side


class OpenRecording:
    """An open span of a recording: `header` is the header of the span, `whole` that of the file.

    See `opened`.
    """

    def __init__(self, source: Source, file: Decoder, whole: Header, span: Span) -> None:
        self._source, self._file, self.whole = source, file, whole
        self._begin, end = _edges(whole, span)
        self.header = replace(whole, samples=end - self._begin)

    def read(self, rate: int, channel: int = MIX, start: int = 0, count: int | None = None) -> Waveform:
        """Read samples `start` … `start + count` − 1 of the span; see the function `read` of this module.

        Raises UnreadableFileError.
        """
        _check(self._source)
        found = self.header
        if channel >= found.channels:
            got = f"got {found.channels} channels"
            reason = f"{got}, expected a channel number {channel}; choose another channel"
            raise UnreadableFileError(name(self._source), reason)
        stop = (
            found.samples_at_rate(rate) if count is None else min(start + count, found.samples_at_rate(rate))
        )
        if stop <= start:
            return np.zeros(0, np.float32)
        common = gcd(found.rate, rate)
        # Every `own` samples of the file and every `new` samples at `rate` are at the same time.
        own, new = found.rate // common, rate // common
        margin = MARGIN * max(found.rate, rate) if found.rate != rate else 0  # in samples of the file × rate
        first = max(0, (start * found.rate - margin) // (rate * own)) * own
        last = min(found.samples, -(-(stop * found.rate + margin) // rate))
        values = _samples(self._source, self._file, self._begin + first, self._begin + last, channel)
        if found.rate != rate:
            values = extra("soxr", "audio").resample(values, found.rate, rate, quality="HQ")
        skipped = start - first // own * new
        piece = np.zeros(stop - start, np.float32)  # the filter may return fewer samples at the end
        available = values[skipped : skipped + len(piece)]
        piece[: len(available)] = available
        return piece


@contextmanager
def opened(source: Source, span: Span = WHOLE) -> Generator[OpenRecording]:
    """Open a span of a recording, and open its file only once.

    Raises UnreadableFileError, MissingExtraError.

    Example:

        >>> from kakera.data.audio.wav import wav
        >>> content = wav(np.zeros((1600, 1), np.float32), 16_000, "FLOAT")
        >>> with opened(content, (0.0, 0.05)) as recording:
        ...     print(recording.header.samples, recording.read(16_000, start=10, count=4))
        800 [0. 0. 0. 0.]
    """
    with _opened(source) as (file, found):
        yield OpenRecording(source, file, found, span)


def header(source: Source, span: Span = WHOLE) -> Header:
    """Return the header of a span, without decoding it. Raises UnreadableFileError, MissingExtraError.

    Example:

        >>> from kakera.data.audio.wav import wav
        >>> found = header(wav(np.zeros((1600, 2), np.float32), 16_000, "FLOAT"))
        >>> found.kind, found.channels, found.seconds
        ('WAV', 2, 0.1)
    """
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
    """Read samples `start` … `start + count` − 1 of a span, at the sample rate `rate` in Hz.

    `start` and `count` are in samples at `rate`; the default None of `count` reads to the end of the span.
    `channel` is the number of a channel, from 0; the default MIX is the mean of all channels. Returns
    float32 (count,) with 1 as full scale, shorter if the span ends earlier.

    Only this piece is decoded. It equals the same piece of the whole resampled span to 1e-6, because the
    samples around it are resampled too, and because it starts at a time at which both rates have a sample.
    Raises UnreadableFileError, MissingExtraError.

    Example:

        >>> from kakera.data.audio.wav import wav
        >>> content = wav(np.ones((1600, 2), np.float32), 16_000, "FLOAT")
        >>> read(content, 16_000, count=3), read(content, 8_000).shape
        (array([1., 1., 1.], dtype=float32), (800,))
    """
    with opened(source, span) as recording:
        return recording.read(rate, channel, start, count)


def blocks(
    source: Source, span: Span = WHOLE, seconds: float = 10.0, dtype: str = "float32"
) -> Iterator[NDArray[Any]]:
    """Yield a span in pieces of `seconds`: (samples, channels) at the recording's own sample rate.

    With an integer `dtype`, samples use the full range of that type. Raises UnreadableFileError,
    MissingExtraError.

    Example:

        >>> from kakera.data.audio.wav import wav
        >>> content = wav(np.zeros((1600, 2), np.float32), 16_000, "FLOAT")
        >>> [piece.shape for piece in blocks(content, seconds=0.04)]
        [(640, 2), (640, 2), (320, 2)]
    """
    with _opened(source) as (file, found):
        _check(source)
        step = max(1, int(seconds * found.rate))
        begin, end = _edges(found, span)
        for first in range(begin, end, step):
            yield _every_channel(source, file, first, min(first + step, end), dtype)


def subtype(source: Source) -> str:
    """Return libsndfile's name of the sample format, such as PCM_16 or VORBIS.

    Raises UnreadableFileError, MissingExtraError.

    Example:

        >>> from kakera.data.audio.wav import wav
        >>> subtype(wav(np.zeros((100, 1), np.int32), 16_000, "PCM_24"))
        'PCM_24'
    """
    with _opened(source) as (file, _):
        return file.subtype


def name(source: Source) -> str:
    """Return the name of a source for messages: its path, or "recording" for bytes.

    Example:

        >>> from pathlib import Path
        >>> name(Path("bird.wav")), name(b"bytes of a file")
        ('bird.wav', 'recording')
    """
    return "recording" if isinstance(source, bytes) else printable(source)


def _check(source: Source) -> None:
    if isinstance(source, AudioSource):
        source.check()


def _edges(found: Header, span: Span) -> tuple[int, int]:
    """Return the first sample of a span and the sample after its last, at the file's own rate."""
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
        reason = f"got a NaN or infinite value at {where:.3f} s, expected −1 to 1; export it again"
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
    """Convert errors of the `with` block to an UnreadableFileError with the file's name.

    The errors of kakera pass unchanged.
    """
    try:
        yield
    except FaultError as error:
        raise UnreadableFileError(name(source), str(error)) from error
    except KakeraError:
        raise
    except Exception as error:  # decoders raise several kinds of error on broken files
        raise_out_of_memory(error)
        if type(error).__module__ == "builtins" and isinstance(error, OSError) and error.strerror:
            reason = errors.unopened(error)
        else:
            reason = errors.damage(error)
        raise UnreadableFileError(name(source), reason) from error
