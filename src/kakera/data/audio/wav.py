"""Recordings as the bytes of files: the own file, a span of it without loss, and WAV files."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio import decode
from kakera.data.audio.decode import WHOLE, Span
from kakera.data.audio.source import Source, opened
from kakera.errors import UnreadableFileError

FULL = 32_767  # of 16 bits
MOST = 4_000_000_000  # bytes of one recording: a WAV has no room for more
SUFFIXES = {  # by libsndfile's names of the kinds; the first where the file's own is another's
    "WAV": (".wav", ".wave"),
    "WAVEX": (".wav", ".wave"),
    "RF64": (".wav", ".wave"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3",),
    "AIFF": (".aiff", ".aif", ".aifc"),
}
# WAV's sample types that hold those of a file exactly: format tag, bytes of a sample. All others, lossy ones
# too, are decoded to 32-bit floats and kept as these.
TYPES = {
    "PCM_U8": (1, 1),
    "PCM_16": (1, 2),
    "PCM_24": (1, 3),
    "PCM_32": (1, 4),
    "FLOAT": (3, 4),
    "DOUBLE": (3, 8),
}


def as_file(source: Source, span: Span) -> tuple[bytes, str]:
    """What is kept of it, and its suffix; all of it is decoded. Raises UnreadableFileError."""
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
    """A WAV file of (samples, channels): floats as they are, of int32 the upper bits that `kind` has.

    The same bytes each time, which libsndfile's are not: it writes down when a float was the loudest.
    """
    tag, size = TYPES[kind]
    if tag == 3:
        data = values.astype(f"<f{size}").tobytes()
    else:
        high = values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - size :]
        data = (high ^ 0x80 if size == 1 else high).tobytes()  # of 8 bits unsigned
    channels = values.shape[1]
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * size, channels * size, 8 * size)
    fact = b"fact" + struct.pack("<II", 4, len(values)) if tag == 3 else b""
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + fact
    chunks += b"data" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def audible_wav(samples: NDArray[np.float32], rate: int) -> bytes:
    """A WAV file of one channel (samples,) in 16 bits; 1 is full scale, what lies beyond is cut off."""
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
