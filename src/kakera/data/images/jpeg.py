"""Fast decoding of plain JPEG files, with the same values as Pillow.

Pillow and simplejpeg both use libjpeg-turbo. Pillow copies the decoded values twice before they are an array;
simplejpeg does not copy them. Unusual or damaged files are left to Pillow, which has a precise error message
for every fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

_START = b"\xff\xd8"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_PLAIN = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: with Huffman coding
_SCAN, _END, _APP1, _APP2 = 0xDA, 0xD9, 0xE1, 0xE2
_ORIENTATION = 0x0112


def plain_jpeg(source: Path | str | bytes, channels: int, most_pixels: int) -> NDArray[np.uint8] | None:
    """Decode a plain JPEG to uint8 (H, W, channels); return None if Pillow must decode the file.

    Pillow decodes all files that are not grey or colour JPEGs with 8 bits, and JPEGs that are rotated, that
    contain several pictures, that have more than `most_pixels` pixels, that are damaged, or that are missing.

    Example:

        >>> content = simplejpeg.encode_jpeg(np.zeros((8, 16, 3), np.uint8))
        >>> plain_jpeg(content, channels=1, most_pixels=1000).shape
        (8, 16, 1)
    """
    try:
        content = source if isinstance(source, bytes) else _read(source)
        depth = _depth(content, most_pixels)
        if depth is None:
            return None
        values = simplejpeg.decode_jpeg(content, "GRAY" if depth == 1 else "RGB")
    except (OSError, ValueError):
        return None
    if channels == 1 and depth == 3:
        return np.asarray(Image.fromarray(values).convert("L"))[..., None]
    return np.repeat(values, 3, axis=2) if channels > depth else values


def _read(path: Path | str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123  # called thousands of times a second: making a Path is slower than open
        start = file.read(2)
        return start + file.read() if start == _START else b""


def _depth(content: bytes, most_pixels: int) -> int | None:
    """Return the components of a plain JPEG, 1 or 3; None for others. Raises ValueError if it is cut off."""
    depth = None
    for marker, start, end in _segments(content):
        if marker == _APP1 and _turned(content[start:end]):
            return None
        if marker == _APP2 and content.startswith(b"MPF\0", start):
            return None
        if marker in _FRAMES:
            bits, height, width, parts = (
                content[start],
                int.from_bytes(content[start + 1 : start + 3]),
                int.from_bytes(content[start + 3 : start + 5]),
                content[start + 5],
            )
            plain = marker in _PLAIN and bits == 8 and parts in (1, 3) and height and width
            if depth is not None or not plain or height * width > most_pixels:
                return None
            depth = parts
    return depth


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment before the first scan. Raises ValueError."""
    if not content.startswith(_START):
        raise ValueError("no JPEG")
    place = 2
    while True:
        if place + 4 > len(content) or content[place] != 0xFF:
            raise ValueError("no marker at the start of a segment")
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4])
        if marker in (_SCAN, _END):
            return
        if place + 2 + length > len(content) or length < 2 or (marker in _FRAMES and length < 8):
            raise ValueError("a segment is cut off")
        yield marker, place + 4, place + 2 + length
        place += 2 + length


def _turned(segment: bytes) -> bool:
    """Return True if the metadata contain, or may contain, an orientation."""
    if segment.startswith(b"Exif\0\0"):
        exif = Image.Exif()
        try:
            exif.load(segment)
        except Exception:  # Pillow raises many kinds of error on broken EXIF data
            return True
        return exif.get(_ORIENTATION, 1) != 1
    return b"rientation" in segment  # XMP stores the orientation as text
