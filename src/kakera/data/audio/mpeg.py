"""Positions of the frames of an MPEG audio stream (MP3, MP2, MP1) in a file, from the frame headers.

Sources: ISO/IEC 11172-3, Sec. 2.4.1.3 and 2.4.2.3; 13818-3 for half the sample rates, and the unofficial
version 2.5 for a quarter of them. Most files start with a frame without sound that contains the number of
frames ("Xing" or "Info", "VBRI"). Other files do not contain it; a decoder that guesses the length from the
first frames is often wrong.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

FRAME = np.dtype([("offset", "<i8"), ("size", "<u2")])
RATES = (44_100, 48_000, 32_000)
SYNTHESIS = 529  # the delay of a decoder in samples (LAME's documentation of its tag)
_V1 = (
    (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_V2 = (
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)


@dataclass(frozen=True)
class FrameHeader:
    """The header of a frame, from its first four bytes.

    `samples` is the number of samples of a channel, `rate` is in Hz. `size` is the frame's size in bytes, or
    0 in "free format", where the header does not contain it.

    See `frame_header`.
    """

    layer: int
    rate: int
    channels: int
    samples: int
    size: int
    side: int
    """The bytes of side information in layer III."""
    protected: bool
    padding: int

    @property
    def kind(self) -> tuple[int, int, int]:
        """(layer, rate, channels), which are equal in all frames of one stream."""
        return self.layer, self.rate, self.channels

    @property
    def data(self) -> int:
        """The byte offset of the main data in a frame of layer III."""
        return 4 + 2 * self.protected + self.side


@lru_cache(maxsize=4096)
def frame_header(word: bytes) -> FrameHeader | None:
    """Return the frame header in four bytes; None if they are not a frame header.

    Example:

        >>> header = frame_header(bytes.fromhex("fffb9064"))
        >>> header.layer, header.rate, header.channels, header.samples, header.size
        (3, 44100, 2, 1152, 417)
    """
    if len(word) < 4 or word[0] != 0xFF or word[1] & 0xE0 != 0xE0:
        return None
    version, layer = word[1] >> 3 & 3, 4 - (word[1] >> 1 & 3)
    rate, bits = word[2] >> 2 & 3, word[2] >> 4
    if version == 1 or layer == 4 or rate == 3 or bits == 15 or word[3] & 3 == 2:
        return None
    hertz = RATES[rate] >> (0, 0, 1, 0)[version] if version else RATES[rate] >> 2
    first, mono, padding = version == 3, word[3] >> 6 == 3, word[2] >> 1 & 1
    kilobits = (_V1 if first else _V2)[layer - 1][bits]
    samples = {1: 384, 2: 1152, 3: 1152 if first else 576}[layer]
    unit = 4 if layer == 1 else 1
    size = (samples // 8 * kilobits * 1000 // hertz // unit + padding) * unit if kilobits else 0
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return FrameHeader(layer, hertz, 1 if mono else 2, samples, size, side, not word[1] & 1, padding * unit)


@dataclass(frozen=True)
class XingHeader:
    """The contents of an information frame: the number of frames, their size, and the encoder's padding.

    `delay` and `padding` are the samples that the encoder added at the start and the end.

    See `xing_header`.
    """

    frames: int
    size: int
    """The size of all frames in bytes, including this frame; 0 if unknown."""
    delay: int
    padding: int


def xing_header(frame: bytes) -> XingHeader | None:
    """Return the contents of an information frame; None if the frame contains sound.

    Example:

        >>> frame = bytes.fromhex("fffb9064") + bytes(32) + b"Info" + bytes([0, 0, 0, 1, 0, 0, 0, 7])
        >>> xing_header(frame).frames
        7
    """
    header = frame_header(frame[:4])
    if header is None or header.layer != 3:
        return None
    if frame[36:40] == b"VBRI":
        return XingHeader(int.from_bytes(frame[50:54]), int.from_bytes(frame[46:50]), 0, 0)
    for at in (4 + header.side, header.data):
        if frame[at : at + 4] in (b"Xing", b"Info"):
            break
    else:
        return None
    flags, at = int.from_bytes(frame[at + 4 : at + 8]), at + 8
    values = [0, 0]
    for number in range(2):
        if flags & 1 << number:
            values[number] = int.from_bytes(frame[at : at + 4])
            at += 4
    at += 100 * bool(flags & 4) + 4 * bool(flags & 8)
    lame = int.from_bytes(frame[at + 21 : at + 24]) if len(frame) >= at + 24 else 0
    return XingHeader(values[0], values[1], lame >> 12, lame & 0xFFF)


def begin_of_sound(file: BinaryIO) -> int:
    """Return the byte offset of the first frame of a file, after its ID3v2 tags.

    Example:

        >>> import io
        >>> begin_of_sound(io.BytesIO(b"ID3" + bytes(7) + b"sound"))
        10
    """
    at = 0
    while True:
        file.seek(at)
        start = file.read(10)
        if start[:3] != b"ID3" or len(start) < 10:
            return at
        size = sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(start[6:10]))
        at += 10 + size + 10 * bool(start[5] & 0x10)


def end_of_sound(tail: bytes, size: int) -> int:
    """Return the byte offset of the end of the sound: before the tags ID3v1, Lyrics3 and APE.

    `tail` are the last bytes of a file of `size` bytes.

    Example:

        >>> end_of_sound(b"sound" + b"TAG" + bytes(125), size=133)
        5
    """
    while True:
        before = len(tail)
        if tail[-128:-125] == b"TAG":
            tail = tail[:-128]
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            tail = tail[: -int(tail[-15:-9]) - 15]
        elif tail[-32:-24] == b"APETAGEX":
            header = 32 * bool(int.from_bytes(tail[-12:-8], "little") & 1 << 31)
            tail = tail[: -int.from_bytes(tail[-20:-16], "little") - header]
        if len(tail) == before:
            return size
        size -= before - len(tail)


def scan(
    content: bytes | mmap.mmap, start: int, end: int
) -> tuple[NDArray[np.void], set[tuple[int, int, int]]]:
    """Return the complete frames between two byte offsets, (n,) of `FRAME`, and the set of their kinds.

    Bytes that are not frames are skipped.

    Example:

        >>> frame = bytes.fromhex("fffb9064") + bytes(413)
        >>> frames, kinds = scan(b"other bytes" + frame + frame, 0, 845)
        >>> frames["offset"].tolist(), kinds
        ([11, 428], {(3, 44100, 2)})
    """
    found: list[tuple[int, int]] = []
    kinds: set[tuple[int, int, int]] = set()
    kind, free, at = (0, 0, 0), 0, start
    while at + 4 <= end:
        header = frame_header(content[at : at + 4])
        if header is None or header.kind != kind:
            at, header = _next(content, at, end)
            if header is None:
                break
            kind, free = header.kind, 0
            kinds.add(kind)
        if header.size:
            size = header.size
        else:
            free = free or _free(content, at, end, header)
            size = free + header.padding
            if not free:
                break
        if at + size > end:
            break
        found.append((at, size))
        at += size
    return np.array(found, FRAME), kinds


def _next(content: bytes | mmap.mmap, at: int, end: int) -> tuple[int, FrameHeader | None]:
    """Return the next offset with two frames of one kind in a row, or with a frame that ends the file."""
    while (at := content.find(b"\xff", at, end)) >= 0:
        header = frame_header(content[at : at + 4])
        if header is not None:
            after = at + (header.size or _free(content, at, end, header) + header.padding)
            other = frame_header(content[after : after + 4]) if after + 4 <= end else None
            if after == end or (after > at and other is not None and other.kind == header.kind):
                return at, header
        at += 1
    return end, None


def _free(content: bytes | mmap.mmap, at: int, end: int, header: FrameHeader) -> int:
    """Return the bytes of a free-format frame without padding: up to the next frame; 0 without a next one."""
    place, most = at + 4 + header.side, min(end, at + 65_000)
    while (place := content.find(b"\xff", place, most)) >= 0:
        other = frame_header(content[place : place + 4])
        if other is not None and not other.size and other.kind == header.kind:
            return place - at - header.padding
        place += 1
    return 0
