"""Recordings as other programs leave them, made from bytes on the spot."""

import io
import struct
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from kakera.data.audio import mpeg, ogg
from tests.data.recordings import KINDS, chirp


def encoded(kind: str, values: NDArray[np.float32], rate: int, **options: object) -> bytes:
    """A file in memory, as soundfile writes it."""
    file = io.BytesIO()
    given = {"format": kind.upper()} | KINDS.get(kind, {}) | options
    soundfile.write(file, values, rate, **given)
    return file.getvalue()


def sound(rate: int = 44_100, seconds: float = 3.0, channels: int = 1) -> NDArray[np.float32]:
    """A rising tone that comes and goes, with noise: frames of all sizes."""
    noise = np.random.default_rng(0).standard_normal((round(rate * seconds), channels)) * 0.02
    swell = np.sin(np.linspace(0, 9, len(noise)))[:, None] ** 2
    return (chirp(rate, seconds, channels) * swell + noise * swell**4).astype(np.float32)


@cache
def mp3(rate: int = 44_100, seconds: float = 3.0, channels: int = 1, *, variable: bool = True) -> bytes:
    """With the frame that says how long it is."""
    mode = "VARIABLE" if variable else "CONSTANT"
    return encoded("mp3", sound(rate, seconds, channels), rate, bitrate_mode=mode, compression_level=0.5)


def frames_of(content: bytes) -> list[bytes]:
    """The frames of an MP3 file without tags; the first holds no sound."""
    found, _ = mpeg.scan(content, 0, len(content))
    return [content[at : at + size] for at, size in found.tolist()]


def unannounced(content: bytes) -> bytes:
    """An MP3 file without the frame that says how long it is."""
    return b"".join(frames_of(content)[1:])


def id3(size: int) -> bytes:
    """A tag with bytes in it that look like frames."""
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + sizes + (b"\xff\xfb\x90\x64" * size)[:size]


def unended(content: bytes) -> bytes:
    """An Ogg file whose last page does not say that it is the last."""
    start = content.rindex(b"OggS")
    page = bytearray(content[start:])
    page[5] &= ~4
    whole = bytearray(ogg.ended(bytes(page)))  # with the checksum of a page that has the mark
    whole[5] &= ~4
    whole[22:26] = checksum(bytes(whole)).to_bytes(4, "little")
    return content[:start] + bytes(whole)


def checksum(page: bytes) -> int:
    """RFC 3533, Sec. 6: bit by bit."""
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 1 << 31 else 0)) & 0xFFFFFFFF
    return value


def with_data_size(content: bytes, size: int) -> bytes:
    """A WAV whose header has another number of bytes of samples."""
    at = content.index(b"data") + 4
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


def without_length(content: bytes) -> bytes:
    """A FLAC file that was written to a pipe."""
    return content[:21] + bytes([content[21] & 0xF0]) + bytes(4) + content[26:]


def saved(path: Path, content: bytes) -> Path:
    """Write it."""
    path.write_bytes(content)
    return path
