"""The chunks of a WAV file: what its samples are, where they are, and how many it says there are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Literal

MPEG = (0x50, 0x55)  # format tags: layers I and II; layer III
EXTENSIBLE = 0xFFFE
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


def wave(file: BinaryIO) -> Wave | None:
    """Of a RIFF or RIFX file; None where it has no samples or is of another kind."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RIFX") or head[8:] != b"WAVE":
        return None
    order: Literal["little", "big"] = "little" if head[:4] == b"RIFF" else "big"
    tag, at = 0, 12
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
        if chunk[:4] == b"data":
            return Wave(tag, at + 8, length, size, order)
        at += 8 + length + length % 2
    return None


def is_chunk(name: bytes) -> bool:
    """Whether four bytes are such as chunks are named with."""
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)
