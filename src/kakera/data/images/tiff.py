"""Reading of a TIFF header (its first directory), for files that Pillow cannot read or reads wrongly."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 13: 4, 16: 8}  # bytes of a value, by its TIFF type
CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q"}
MOST = 1 << 12  # the most entries of a directory and values of one entry; enough for every picture
FORMATS = {1: "whole numbers", 2: "signed numbers", 3: "floats", 4: "values", 5: "complex", 6: "complex"}
WEBP = 50_001  # a compression that Pillow knows by name, but that its libtiff cannot decode
INVERTED, BLACK_IS_ZERO, RGB, SEPARATE = 0, 1, 2, 2
ALPHA = (1, 2)  # values of ExtraSamples for opacity: premultiplied and not premultiplied
Source = Path | str | bytes


@dataclass(frozen=True)
class TiffHeader:
    """The header of the first picture in a TIFF file.

    `width` and `height` are in pixels as stored; `bits` is the size of a value, and `format` its type (1
    unsigned, 2 signed, 3 float). `samples` is the number of channels. `separate` is True if the file stores
    one channel after another. `order` is "<" (little-endian) or ">" (big-endian).

    See `read_header`.
    """

    width: int
    height: int
    bits: int
    samples: int
    format: int
    photometric: int
    separate: bool
    compression: int
    place: int
    """The byte offset of the value of PhotometricInterpretation in the file; 0 if it is missing."""
    order: str
    extra: tuple[int, ...] = ()
    """The tag ExtraSamples: the meaning of each channel beyond those of the photometric interpretation."""
    orientation: int = 1
    """The EXIF orientation, 1 to 8; from 5 on, height and width must be swapped."""

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) of the upright picture."""
        return (self.height, self.width) if self.orientation < 5 else (self.width, self.height)

    @property
    def opacity(self) -> int:
        """The number of the opacity channel, from the tag ExtraSamples; −1 without one.

        OpenCV writes red, green, blue and opacity without that tag; four such channels count as these.
        """
        if not self.extra and self.photometric == RGB and self.samples == 4:
            return 3
        known = [place for place, kind in enumerate(self.extra) if kind in ALPHA]
        return self.samples - len(self.extra) + known[0] if known else -1

    @property
    def channels(self) -> int:
        """The number of visible channels, without opacity; 3 for a palette and for printing colours."""
        if self.photometric not in (INVERTED, BLACK_IS_ZERO, RGB):
            return 3
        return self.samples - (self.opacity >= 0)

    @property
    def many(self) -> bool:
        """True if the picture is neither grey nor colour."""
        return self.channels not in (1, 3)

    def __str__(self) -> str:
        kind = FORMATS.get(self.format, "values")
        if self.format == 1 and self.bits in (8, 16):
            kind = "values"
        many = f"{self.samples} channels of " if self.samples > 1 else ""
        planes = ", channel after channel" if self.separate and self.samples > 1 else ""
        return f"a TIFF of {many}{self.bits}-bit {kind}{planes}"

    @property
    def unsafe(self) -> bool:
        """True if Pillow returns wrong values without an error, or no values."""
        signed_bytes = self.bits == 8 and self.format == 2
        planes = self.separate and self.samples > 1 and self.bits > 8 and self.compression == 1
        floats = self.format == 3 and self.photometric == INVERTED
        wide = self.bits > 16 or (self.bits == 16 and self.format == 2)
        swapped = (
            wide and self.order == ">" and self.compression != 1
        )  # decoded as if they were little-endian
        inverted = self.bits > 16 and self.photometric == INVERTED
        return signed_bytes or planes or floats or swapped or inverted or self.compression == WEBP

    @property
    def inverted(self) -> bool:
        """True for 16-bit values with zero as white; Pillow itself inverts values of fewer bits."""
        return self.bits == 16 and self.samples == 1 and self.photometric == INVERTED


def read_header(source: Source) -> TiffHeader | None:
    """Return the header of a TIFF file; None if the file is not a TIFF or is damaged.

    Example:

        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("L", (4, 2)).save(file, "TIFF")
        >>> found = read_header(file.getvalue())
        >>> found.upright, found.channels, str(found)
        ((2, 4), 1, 'a TIFF of 8-bit values')
    """
    try:
        if isinstance(source, bytes):
            return _header(_Bytes(source))
        with Path(source).open("rb") as file:
            start = file.read(1 << 16)
            return _header(_Bytes(start, file))
    except (OSError, ValueError, struct.error, KeyError, IndexError, OverflowError):
        return None


class _Bytes:
    """Parts of a file by their byte offset."""

    def __init__(self, start: bytes, file: BinaryIO | None = None) -> None:
        self.start, self.file = start, file

    def at(self, place: int, length: int) -> bytes:
        if place + length <= len(self.start) or self.file is None:
            return self.start[place : place + length]
        self.file.seek(place)
        return self.file.read(length)


def _header(content: _Bytes) -> TiffHeader | None:
    start = content.at(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        return None
    version = struct.unpack(order + "H", start[2:4])[0]
    if version not in (42, 43):
        return None
    big = version == 43
    place = struct.unpack(order + ("Q" if big else "I"), start[8:16] if big else start[4:8])[0]
    tags, places = _entries(content, order, place, big)
    bits = tags.get(258, (1,))
    format = tags.get(339, (1,))[0]
    return TiffHeader(
        width=int(tags[256][0]),
        height=int(tags[257][0]),
        bits=int(max(bits)),
        samples=int(tags.get(277, (1,))[0]),
        format=int(format),
        photometric=int(tags.get(262, (1,))[0]),
        separate=int(tags.get(284, (1,))[0]) == SEPARATE,
        compression=int(tags.get(259, (1,))[0]),
        place=places.get(262, 0),
        order=order,
        extra=tuple(map(int, tags.get(338, ()))),
        orientation=int(tags.get(274, (1,))[0]),
    )


def _entries(
    content: _Bytes, order: str, place: int, big: bool
) -> tuple[Mapping[int, tuple[int, ...]], Mapping[int, int]]:
    tags: dict[int, tuple[int, ...]] = {}
    places: dict[int, int] = {}
    head, each, inline = (8, 20, 8) if big else (2, 12, 4)
    count = struct.unpack(order + ("Q" if big else "H"), content.at(place, head))[0]
    for number in range(min(count, MOST)):
        at = place + head + number * each
        entry = content.at(at, each)
        tag, kind = struct.unpack(order + "HH", entry[:4])
        many = struct.unpack(order + ("Q" if big else "I"), entry[4 : each - inline])[0]
        if kind not in CODES or not 0 < many <= MOST:
            continue
        size, value = SIZES[kind] * many, entry[each - inline :]
        if size > inline:
            value = content.at(struct.unpack(order + ("Q" if big else "I"), value)[0], size)
        tags[tag] = struct.unpack(f"{order}{many}{CODES[kind]}", value[:size])
        places[tag] = at + each - inline
    return tags, places


def as_black_is_zero(content: bytes, header: TiffHeader) -> bytes:
    """Return the file with PhotometricInterpretation 1 (zero is black), which Pillow always reads.

    Example:

        >>> from PIL import Image
        >>> Image.new("L", (4, 2)).save("a.tif", tiffinfo={262: 0})
        >>> content = Path("a.tif").read_bytes()
        >>> changed = as_black_is_zero(content, read_header(content))
        >>> read_header(content).photometric, read_header(changed).photometric
        (0, 1)
    """
    changed = bytearray(content)
    changed[header.place : header.place + 2] = struct.pack(header.order + "H", 1)
    return bytes(changed)
