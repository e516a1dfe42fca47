"""Bytes of recording files: the original file, a span of it without loss, or a WAV file."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio import decode
from kakera.data.audio.decode import WHOLE, Span
from kakera.data.audio.source import Source, opened
from kakera.errors import UnreadableFileError

FULL = 32_767  # full scale of 16 bits
MOST = 4_000_000_000  # bytes of one recording: the size field of a WAV file has 32 bits
SUFFIXES = {  # by libsndfile's format names; the first one is used if the file's own suffix does not fit
    "WAV": (".wav", ".wave"),
    "WAVEX": (".wav", ".wave"),
    "RF64": (".wav", ".wave"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3",),
    "AIFF": (".aiff", ".aif", ".aifc"),
}
# WAV's sample types that store a file's samples exactly: format tag, bytes of a sample. All other types,
# also lossy ones, are decoded to 32-bit floats and stored as such.
TYPES = {
    "PCM_U8": (1, 1),
    "PCM_16": (1, 2),
    "PCM_24": (1, 3),
    "PCM_32": (1, 4),
    "FLOAT": (3, 4),
    "DOUBLE": (3, 8),
}


def as_file(source: Source, span: Span) -> tuple[bytes, str]:
    """Return the bytes to store for a span of a recording, and their suffix.

    For the whole recording these are the bytes of the file; for a span, a WAV file of its samples. All
    samples are decoded once as a check. Raises UnreadableFileError.

    Example:

        >>> content = wav(np.zeros((2000, 1), np.int32), 16_000, "PCM_16")
        >>> part, suffix = as_file(content, (0.0, 0.0625))
        >>> len(content), len(part), suffix
        (4044, 2044, '.wav')
    """
    header = decode.header(source, span)
    if span != WHOLE:
        kind = _type(decode.subtype(source))
        _require_room(source, header.samples * header.channels * TYPES[kind][1])
        dtype = {"FLOAT": "float32", "DOUBLE": "float64"}.get(kind, "int32")
        found = [*decode.blocks(source, span, dtype=dtype)]
        empty = np.zeros((0, header.channels), dtype)
        return wav(np.concatenate([empty, *found]), header.rate, kind), ".wav"
    with opened(source) as file:
        _require_room(source, file.seek(0, 2))
        file.seek(0)
        content = file.read()
    for _ in decode.blocks(content):
        pass
    return content, _suffix(source, header.kind)


def wav(values: NDArray[Any], rate: int, kind: str) -> bytes:
    """Return the bytes of a WAV file.

    `values` is (samples, channels): floats for `kind` "FLOAT" and "DOUBLE", otherwise int32, of which the
    upper bits are written. `rate` is the sample rate in Hz, `kind` the sample format: a key of `TYPES`. Equal
    values always become equal bytes. In libsndfile's files this is not so, because these contain the time at
    which the loudest float was written.

    Example:

        >>> wav(np.zeros((100, 2), np.float32), 16_000, "FLOAT")[:4]
        b'RIFF'
    """
    tag, size = TYPES[kind]
    if tag == 3:
        data = values.astype(f"<f{size}").tobytes()
    else:
        high = values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - size :]
        data = (high ^ 0x80 if size == 1 else high).tobytes()  # 8-bit samples of a WAV file are unsigned
    channels = values.shape[1]
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * size, channels * size, 8 * size)
    fact = b"fact" + struct.pack("<II", 4, len(values)) if tag == 3 else b""
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + fact
    chunks += b"data" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def audible_wav(samples: NDArray[np.float32], rate: int) -> bytes:
    """Return the bytes of a 16-bit WAV file of one channel, for playback.

    `samples` is float32 (samples,) with 1 as full scale; values outside of −1 … 1 are clipped. `rate` is the
    sample rate in Hz.

    Example:

        >>> len(audible_wav(np.zeros(100, np.float32), 16_000))
        244
    """
    whole = np.round(np.clip(samples, -1, 1) * FULL).astype(np.int32)
    return wav(whole[:, None] << 16, rate, "PCM_16")


def _type(subtype: str) -> str:
    subtype = "PCM_U8" if subtype == "PCM_S8" else subtype
    return subtype if subtype in TYPES else "FLOAT"


def _suffix(source: Source, kind: str) -> str:
    own = "." + decode.name(source).lower().rpartition(".")[2]
    fitting = SUFFIXES.get(kind, (own,))
    return own if own in fitting else fitting[0]


def _require_room(source: Source, size: int) -> None:
    if size > MOST:
        reason = f"got {size:,} bytes, expected at most {MOST:,} in a shard; cut it into parts"
        raise UnreadableFileError(decode.name(source), reason)
