"""Chunks of a WAV file: the sample format, and the position and size of the samples."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Literal

MPEG = (0x50, 0x55)  # format tags: layers I and II; layer III
SNDFILE = (0, 1, 2, 3, 6, 7, 0x11, 0x14, 0x31, 0x38, 0x40)  # tags that libsndfile reads; 0 means no tag
GSM, GSM_BYTES, GSM_SAMPLES = 0x31, 65, 320  # a block of two frames
FLOAT = 3
EXTENSIBLE = 0xFFFE
UNKNOWN = 0xFFFF_FFFF
MOST_CHUNKS = 1000


@dataclass(frozen=True)
class Wave:
    """The format tag and the position of the samples in a WAV file; `start` is their byte offset.

    See `wave`.
    """

    tag: int
    start: int
    stated: int
    """The bytes of samples according to the header."""
    end: int
    """The size of the file in bytes."""
    order: Literal["little", "big"]
    long: int = 0
    """In RF64, the byte offset of the 8-byte size of the samples; else 0."""


def wave(file: BinaryIO) -> Wave | None:
    """Return the format and position of the samples in a RIFF, RIFX or RF64 file.

    Returns None if the file has no samples or another format.

    Example:

        >>> import soundfile
        >>> soundfile.write("a.wav", [0.0] * 100, 16_000)
        >>> with open("a.wav", "rb") as file:
        ...     found = wave(file)
        >>> found.tag, found.start, found.stated
        (1, 44, 200)
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64") or head[8:] != b"WAVE":
        return None
    order: Literal["little", "big"] = "big" if head[:4] == b"RIFX" else "little"
    tag, at, long, long_size = 0, 12, 0, 0
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        length = int.from_bytes(chunk[4:], order)
        if chunk[:4] == b"fmt ":
            form = file.read(min(length, 40))
            tag = int.from_bytes(form[:2], order)
            if tag == EXTENSIBLE:
                tag = int.from_bytes(form[24:26], order)
        if chunk[:4] == b"ds64":
            long, long_size = at + 16, int.from_bytes(file.read(16)[8:], order)
        if chunk[:4] == b"data":
            stated = long_size if long and length == UNKNOWN else length
            return Wave(tag, at + 8, stated, size, order, long)
        at += 8 + length + length % 2
    return None


def wave64_of_floats(head: bytes) -> int:
    """Return the byte offset of the format tag of an extensible Wave64 file of floats; 0 for other files.

    libsndfile reads such floats as whole numbers by mistake.

    Example:

        >>> form = EXTENSIBLE.to_bytes(2, "little") + bytes(22) + bytes([FLOAT, 0])
        >>> wave64_of_floats(bytes(40) + b"fmt " + bytes(12) + (50).to_bytes(8, "little") + form)
        64
    """
    at = 40
    while at + 24 <= len(head):
        length = int.from_bytes(head[at + 16 : at + 24], "little")
        form = head[at + 24 : at + length]
        if head[at : at + 4] == b"fmt ":
            tag, kind = (int.from_bytes(form[place : place + 2], "little") for place in (0, 24))
            return at + 24 if (tag, kind) == (EXTENSIBLE, FLOAT) else 0
        at += max(24, length + -length % 8)
    return 0


def is_chunk(name: bytes) -> bool:
    """Return True if four bytes can be the name of a chunk.

    Example:

        >>> is_chunk(b"LIST"), is_chunk(bytes(4))
        (True, False)
    """
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)
