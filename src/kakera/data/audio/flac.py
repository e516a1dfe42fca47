"""FLAC files (RFC 9639): the length of files whose header lacks it, and the starts of joined files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

BEGIN = b"fLaC\0\0\0\x22"  # followed by a STREAMINFO block, which always has this size
BEGIN_LAST = b"fLaC\x80\0\0\x22"  # the same if no other metadata block follows
HEAD = 42  # bytes up to the end of STREAMINFO
AT_TOTAL = 21  # the lower half of this byte and the next four bytes are the number of samples
MOST_SEARCHED = 32 << 20  # bytes; a longer file is searched only if its end does not fit its header
_BLOCKS = {
    1: 192,
    **{code: 576 << code - 2 for code in range(2, 6)},
    **{code: 256 << code - 8 for code in range(8, 16)},
}


@dataclass(frozen=True)
class StreamInfo:
    """The contents of a STREAMINFO block: `block` is the samples of a frame, `rate` is in Hz.

    See `stream_info`.
    """

    block: int
    rate: int
    channels: int
    bits: int
    samples: int
    """The number of samples; 0 if the encoder wrote to a pipe and did not know it."""


def stream_info(head: bytes) -> StreamInfo | None:
    """Return the STREAMINFO block in the first 42 bytes; None if they are not from a FLAC file.

    Example:

        >>> import soundfile
        >>> soundfile.write("a.flac", [0.0] * 100, 16_000)
        >>> with open("a.flac", "rb") as file:
        ...     info = stream_info(file.read(HEAD))
        >>> info.rate, info.channels, info.samples
        (16000, 1, 100)
    """
    if len(head) < HEAD or head[:4] != b"fLaC" or head[4] & 0x7F:
        return None
    word = int.from_bytes(head[18:26])
    return StreamInfo(
        int.from_bytes(head[8:10]),
        word >> 44,
        (word >> 41 & 7) + 1,
        (word >> 36 & 31) + 1,
        word & (1 << 36) - 1,
    )


def with_samples(head: bytes, samples: int) -> bytes:
    """Return the first 42 bytes with another number of samples.

    Example:

        >>> head = BEGIN + bytes(34)
        >>> stream_info(head).samples, stream_info(with_samples(head, 100)).samples
        (0, 100)
    """
    word = int.from_bytes(head[18:26])
    return head[:18] + (word >> 36 << 36 | samples).to_bytes(8) + head[26:]


def samples_at_end(file: BinaryIO, end: int, info: StreamInfo) -> int:
    """Return the number of samples up to the last frame, which ends at byte `end`; 0 without a frame.

    Example:

        >>> import soundfile
        >>> soundfile.write("a.flac", [0.0] * 100, 16_000)
        >>> with open("a.flac", "rb") as file:
        ...     info = stream_info(file.read(HEAD))
        ...     samples_at_end(file, file.seek(0, os.SEEK_END), info)
        100
    """
    longest = info.block * info.channels * (info.bits // 8 + 1) + 256  # bytes of a frame without compression
    start = max(0, end - longest)
    file.seek(start)
    tail = file.read(end - start)
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        found = _frame_end(tail[at : at + 17], info)
        if found and not _crc16(tail[at:]):
            return found
    return 0


def begins(file: BinaryIO, info: StreamInfo) -> list[int]:
    """Return the byte offsets of all FLAC files that are joined in this file.

    Example:

        >>> import io
        >>> head = BEGIN + bytes(34)
        >>> begins(io.BytesIO(head + head), stream_info(head))
        [0, 42]
    """
    size = file.seek(0, os.SEEK_END)
    if size > MOST_SEARCHED and samples_at_end(file, size, info) in (0, info.samples):
        return [0]
    found: list[int] = []
    tail, start = b"", 0
    file.seek(0)
    while piece := file.read(1 << 20):
        content = tail + piece
        at = content.find(b"fLaC")
        while at >= 0:
            if content[at : at + 8] in (BEGIN, BEGIN_LAST):
                found.append(start + at)
            at = content.find(b"fLaC", at + 1)
        tail = content[-7:]
        start += len(content) - len(tail)
    return sorted({*found, 0})


def _frame_end(head: bytes, info: StreamInfo) -> int:
    """Return the number of the sample after a frame, from its header; 0 if it is no frame of this stream."""
    if len(head) < 6 or head[1] not in (0xF8, 0xF9) or head[3] & 1:
        return 0
    ones = 8 - (~head[4] & 0xFF).bit_length()
    length = max(1, ones)
    if ones == 1 or ones > 7:
        return 0
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    at, code = 4 + length, head[2] >> 4
    extra = {6: 1, 7: 2}.get(code, 0)
    block = int.from_bytes(head[at : at + extra]) + 1 if extra else _BLOCKS.get(code, 0)
    at += extra + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if not block or at >= len(head) or _crc8(head[: at + 1]):
        return 0
    return (number if head[1] & 1 else number * info.block) + block


def _crc8(content: bytes) -> int:
    value = 0
    for byte in content:
        value = _table(0x07, 8)[value ^ byte]
    return value


def _crc16(content: bytes) -> int:
    value, table = 0, _table(0x8005, 16)
    for byte in content:
        value = (value << 8 & 0xFFFF) ^ table[value >> 8 ^ byte]
    return value


@cache
def _table(polynomial: int, bits: int) -> list[int]:
    found: list[int] = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> bits - 1 else 0)) & (1 << bits) - 1
        found.append(value)
    return found
