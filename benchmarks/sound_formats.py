"""The recordings of docs/formats.md: a real file of every kind, and how kakera reads it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.data.odd_recordings import (
    encoded,
    mp3,
    sound,
    unannounced,
    unended,
    with_data_size,
    without_length,
)

from kakera.data.audio.decode import blocks, header
from kakera.errors import UnreadableFileError

RATE, SECONDS = 44_100, 1.0
STEP = 1024  # samples passed to an encoder at a time
SPEECH = 8_000  # Hz, of codecs for telephones
STEREO = sound(RATE, SECONDS, 2)
LOUD = 0.9  # smallest correlation with the written sound that counts as the same sound
HEAD = """
## Recordings

kakera detects the format from the first bytes of a file, not from its name. libsndfile and mpg123 are part
of `kakera[audio]`, the FFmpeg libraries (PyAV) of `kakera[av]`. "exact" means a difference of at most one
step of 16 bits, or of the bits of the file if they are fewer. Not tested: Monkey's Audio, Musepack, AMR.

| suffix | kind | read by | result | note |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Case:
    """A file: `bits` per sample (0 for lossy kinds), and `times`, the number of repetitions of the sound."""

    suffix: str
    kind: str
    library: str
    content: Callable[[], bytes]
    bits: int = 0
    times: int = 1
    written: NDArray[np.float32] | None = None

    def row(self) -> str:
        """Return the row of the table."""
        result, note = self._result()
        return f"| {self.suffix} | {self.kind} | {self.library} | {result} | {note or '-'} |"

    def _result(self) -> tuple[str, str]:
        content = self.content()
        try:
            found, note = np.concatenate([*blocks(content)]), header(content).note
        except UnreadableFileError as error:
            return "refused: " + error.reason.partition(", expected")[0].removeprefix("got "), ""
        written = STEREO if self.written is None else self.written
        expected = np.concatenate([written] * self.times)
        if " bytes of samples in the header" in note:
            note = "wrong size in the header: read to the end of the file"
        if self.bits:
            same = found.shape == expected.shape
            far = np.abs(found - expected).max() if same else np.inf
            return ("read, exact" if far <= 2 ** (1 - min(self.bits, 16)) else f"WRONG BY {far}"), note
        alike = _alike(found, expected)
        return ("read, lossy" if alike > LOUD else f"WRONG, LIKE BY {alike:.2f}"), note


def _alike(found: Any, written: Any) -> float:
    """Return the largest correlation of the first channels at any shift, since block coders add a delay."""
    size = 2 * max(len(found), len(written))
    one, other = np.fft.rfft(found[:, 0], size), np.fft.rfft(written[:, 0], size)
    power = np.square(found[:, 0]).sum() * np.square(written[:, 0]).sum()
    return float(np.fft.irfft(one * other.conj(), size).max() / np.sqrt(power))


def by_soundfile(
    kind: str, subtype: str, values: Any = STEREO, rate: int = RATE, **words: Any
) -> Callable[[], bytes]:
    """Return a function that writes a file with libsndfile."""
    return lambda: encoded(kind, values, rate, subtype=subtype)


def by_av(form: str, codec: str) -> Callable[[], bytes]:
    """Return a function that writes a file with the FFmpeg libraries."""

    def made() -> bytes:
        import av

        file = io.BytesIO()
        values = np.round(STEREO * 32768).clip(-32768, 32767).astype("<i2")
        with av.open(file, "w", format=form) as container:
            stream: Any = container.add_stream(codec, rate=RATE, layout="stereo")
            kinds = [kind.name for kind in stream.codec_context.codec.audio_formats]
            kind = next((kind for kind in ("s16", "s16p") if kind in kinds), kinds[0])
            stream.bit_rate, stream.codec_context.format = 128_000, kind
            resampler = av.AudioResampler(format=kind, layout="stereo", rate=RATE)
            for first in range(0, len(values), STEP):
                part = np.ascontiguousarray(values[first : first + STEP].reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
                frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
                for one in resampler.resample(frame):
                    container.mux(stream.encode(one))
            container.mux(stream.encode(None))
        return file.getvalue()

    return made


def cases() -> Iterator[Case]:
    """Yield all rows of the table."""
    sndfile, mpg, av_s = "libsndfile", "mpg123", "PyAV"
    plain = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64}
    deep = {name: bits for name, bits in plain.items() if bits > 8}
    companded = {"ULAW": 6, "ALAW": 6}
    for suffix, kind, subtypes in (
        (".wav .wave", "wav", {**plain, **companded, "IMA_ADPCM": 0, "MS_ADPCM": 0}),
        (".rf64", "rf64", {"PCM_16": 16}),
        (
            ".aiff .aif .aifc",
            "aiff",
            {"PCM_S8": 8, **deep, **companded},
        ),
        (".au .snd", "au", {"PCM_16": 16, "FLOAT": 32, **companded}),
        (".caf", "caf", {"PCM_16": 16, "PCM_24": 24, "ALAC_16": 16}),
        (".w64", "w64", {"PCM_16": 16, "FLOAT": 32}),
        (".flac", "flac", {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}),
        (".ogg .oga", "ogg", {"VORBIS": 0}),
    ):
        for subtype, bits in subtypes.items():
            yield Case(suffix, subtype, sndfile, by_soundfile(kind, subtype), bits)
    opus = sound(48_000, SECONDS, 2)
    yield Case(".opus .ogg", "OPUS", sndfile, lambda: encoded("opus", opus, 48_000), written=opus)
    speech = sound(SPEECH, SECONDS, 1)
    yield Case(".wav", "GSM610", sndfile, by_soundfile("wav", "GSM610", speech, SPEECH), written=speech)
    pcm, flac = (
        encoded("wav", STEREO, RATE, subtype="PCM_16"),
        encoded("flac", STEREO, RATE, subtype="PCM_16"),
    )
    mono = sound(RATE, SECONDS, 1)
    ogg = encoded("ogg", STEREO, RATE)
    yield Case(".wav", "from a pipe", sndfile, lambda: with_data_size(pcm, 0xFFFF_FFFF), 16)
    yield Case(".wav", "of an interrupted recorder", sndfile, lambda: with_data_size(pcm, 0), 16)
    yield Case(".wav", "truncated", "-", lambda: pcm[: len(pcm) // 2])
    yield Case(".flac", "without a length", sndfile, lambda: without_length(flac), 16)
    yield Case(".flac", "two joined", sndfile, lambda: flac + flac, 16, times=2)
    yield Case(".flac", "truncated within a frame", "-", lambda: flac[:-900])
    yield Case(".mp3", "variable rate", mpg, lambda: mp3(RATE, SECONDS), written=mono)
    yield Case(".mp3", "without a header", mpg, lambda: unannounced(mp3(RATE, SECONDS)), written=mono)
    yield Case(".ogg .oga", "two joined", sndfile, lambda: ogg + ogg, times=2)
    yield Case(".ogg .oga", "without the end mark", sndfile, lambda: unended(ogg))
    yield Case(".ogg .oga", "two rates joined", "-", lambda: ogg + encoded("ogg", STEREO, 48_000))
    for suffix, kind, content, bits in (
        (".m4a .m4b .mp4 .m4v .3gp", "AAC", by_av("mp4", "aac"), 0),
        (".m4a .m4b", "ALAC", by_av("mp4", "alac"), 16),
        (".aac", "AAC", by_av("adts", "aac"), 0),
        (".wma .wmv", "WMA", by_av("asf", "wmav2"), 0),
        (".mka .mkv", "FLAC", by_av("matroska", "flac"), 16),
        (".ogg .oga", "FLAC", by_av("ogg", "flac"), 16),
        (".wv", "WavPack", by_av("wv", "wavpack"), 16),
        (".tta", "TTA", by_av("tta", "tta"), 16),
        (".ac3", "AC-3", by_av("ac3", "ac3"), 0),
        (".mp2 .mpg .mpeg", "MPEG layer II", by_av("mp2", "mp2"), 0),
        (".mov", "PCM", by_av("mov", "pcm_s16le"), 16),
        (".avi", "PCM", by_av("avi", "pcm_s16le"), 16),
        (".flv", "AAC", by_av("flv", "aac"), 0),
    ):
        yield Case(suffix, kind, mpg if suffix.startswith(".mp2") else av_s, content, bits)


def section() -> str:
    """Return heading and table. Raises AssertionError if a row is wrong."""
    rows = [case.row() for case in cases()]
    wrong = [row for row in rows if "WRONG" in row]
    assert not wrong, "\n".join(wrong)
    return HEAD + "\n".join(rows) + "\n"
