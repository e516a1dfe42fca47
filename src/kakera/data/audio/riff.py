"""The chunks of a WAV file: what its samples are, where they are, and how many it says there are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Literal

MPEG = (0x50, 0x55)  # format tags: layers I and II; layer III
SNDFILE = (0, 1, 2, 3, 6, 7, 0x11, 0x14, 0x31, 0x38, 0x40)  # those that libsndfile knows; 0 has none
GSM, GSM_BYTES, GSM_SAMPLES = 0x31, 65, 320  # a block of two frames
FLOAT = 3
EXTENSIBLE = 0xFFFE
UNKNOWN = 0xFFFF_FFFF
MOST_CHUNKS = 1000


@dataclass(frozen=True)
class Wave:
    """The format tag, and the place of the samples."""

    tag: int
    start: int
    said: int
    """Bytes of samples as the header has them."""
    end: int
    """Of the file."""
    order: Literal["little", "big"]
    long: int = 0
    """In RF64, the place of the eight bytes that say how many there are."""


def wave(file: BinaryIO) -> Wave | None:
    """Of a RIFF, RIFX or RF64 file; None where it has no samples or is of another kind."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64") or head[8:] != b"WAVE":
        return None
    order: Literal["little", "big"] = "big" if head[:4] == b"RIFX" else "little"
    tag, at, long, long_said = 0, 12, 0, 0
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
            long, long_said = at + 16, int.from_bytes(file.read(16)[8:], order)
        if chunk[:4] == b"data":
            said = long_said if long and length == UNKNOWN else length
            return Wave(tag, at + 8, said, size, order, long)
        at += 8 + length + length % 2
    return None


def wave64_of_floats(head: bytes) -> int:
    """Where the format tag of a Wave64 file stands that is extensible and holds floats; 0 of all others.

    libsndfile takes such floats for whole numbers.
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
    """Whether four bytes are such as chunks are named with."""
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)
