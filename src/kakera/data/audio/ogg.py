"""Pages of an Ogg file (RFC 3533): the streams one after another, and the positions of their last pages."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

BEGIN = b"OggS\0\x02"  # the first bytes of the first page of a stream
LARGEST_PAGE = 65_307  # bytes
PIECE = 1 << 20
CONTINUED, FIRST, LAST = 1, 2, 4  # flags of a page

SKELETON = "Skeleton"
CODECS = {
    b"\x01vorbis": "Vorbis",
    b"OpusHead": "Opus",
    b"\x7fFLAC": "FLAC",
    b"Speex  ": "Speex",
    b"\x80theor": "Theora",
    b"fishead": SKELETON,
}


@dataclass(frozen=True)
class Page:
    """The header of a page: byte offset `start`, flags, stream number `serial`, and size in bytes.

    See `page`.
    """

    start: int
    flags: int
    granule: int
    """The end of the last packet that ends on this page, in samples; −1 if no packet ends here."""
    serial: int
    size: int

    @property
    def end(self) -> int:
        """The byte offset of the end of the page."""
        return self.start + self.size


def page(content: bytes, at: int = 0, start: int = 0) -> Page | None:
    """Return the page at offset `at` of `content`; None if there is no page.

    `start` is the byte offset of `content` in the file.

    Example:

        >>> found = page(BEGIN + bytes(21), start=100)
        >>> found.start, found.end, found.flags == FIRST
        (100, 127, True)
    """
    head = content[at : at + 27]
    if len(head) < 27 or head[:5] != b"OggS\0":
        return None
    table = content[at + 27 : at + 27 + head[26]]
    if len(table) < head[26]:
        return None
    granule = int.from_bytes(head[6:14], "little", signed=True)
    return Page(
        start + at, head[5], granule, int.from_bytes(head[14:18], "little"), 27 + len(table) + sum(table)
    )


def begins(file: BinaryIO) -> list[int]:
    """Return the byte offsets of the first pages of all streams, in order.

    Example:

        >>> import io
        >>> first, last = BEGIN + bytes(21), b"OggS" + bytes([0, LAST]) + bytes(21)
        >>> begins(io.BytesIO(first + last + first + last))
        [0, 54]
    """
    found: list[int] = []
    file.seek(0)
    tail, start = b"", 0
    while piece := file.read(PIECE):
        content = tail + piece
        at = content.find(BEGIN)
        while at >= 0:
            found.append(start + at)
            at = content.find(BEGIN, at + 1)
        tail = content[-len(BEGIN) + 1 :]
        start += len(content) - len(tail)
    return found


def links(file: BinaryIO) -> list[tuple[int, int]]:
    """Return the byte range (first, end) of each link; streams that start together are one link.

    Example:

        >>> import io
        >>> first, last = BEGIN + bytes(21), b"OggS" + bytes([0, LAST]) + bytes(21)
        >>> links(io.BytesIO(first + last + first + last))
        [(0, 54), (54, 108)]
    """
    starts: list[int] = []
    end = 0
    for at in begins(file):
        file.seek(at)
        found = page(file.read(LARGEST_PAGE), 0, at)
        if found is None:
            continue
        if at != end or not starts:
            starts.append(at)
        end = found.end
    size = file.seek(0, os.SEEK_END)
    return list(zip(starts, [*starts[1:], size], strict=True))


def has_speech_frames(file: BinaryIO) -> bool:
    """Return True if a packet uses Opus's speech codec SILK, alone or with CELT (RFC 6716, Sec. 3.1).

    Example:

        >>> import io
        >>> speech, other = (b"OggS" + bytes(22) + bytes([1, 1, number << 3]) for number in (1, 31))
        >>> has_speech_frames(io.BytesIO(other + speech)), has_speech_frames(io.BytesIO(other))
        (True, False)
    """
    size, at = file.seek(0, os.SEEK_END), 0
    content, start = b"", 0
    while at < size:
        if at + LARGEST_PAGE > start + len(content):
            file.seek(at)
            content, start = file.read(PIECE), at
        head = page(content, at - start, start)
        if head is None:
            at = (
                start + content.find(b"OggS", at - start + 1)
                if b"OggS" in content[at - start + 1 :]
                else size
            )
            continue
        if not head.flags & FIRST and _speech(content[at - start : head.end - start], head):
            return True
        at = head.end
    return False


def _speech(content: bytes, head: Page) -> bool:
    table = content[27 : 27 + content[26]]
    place, fresh = 27 + len(table), not head.flags & CONTINUED
    for size in table:
        if fresh and size and content[place : place + 4] != b"Opus" and content[place] >> 3 < 16:
            return True
        place, fresh = place + size, size < 255
    return False


def codecs(file: BinaryIO, start: int) -> list[str]:
    """Return the codecs of the streams that start at byte `start`.

    Example:

        >>> import io
        >>> codecs(io.BytesIO(BEGIN + bytes(20) + bytes([1, 8]) + b"OpusHead"), 0)
        ['Opus']
    """
    found: list[str] = []
    while True:
        file.seek(start)
        content = file.read(LARGEST_PAGE)
        head = page(content, 0, start)
        if head is None or not head.flags & FIRST:
            return found
        packet = content[27 + content[26] :]
        found.append(next((name for word, name in CODECS.items() if packet.startswith(word)), "unknown"))
        start = head.end


def without_skeleton(file: BinaryIO) -> list[tuple[int, int]]:
    """Return the byte ranges of the file without its Skeleton streams (tables of contents, RFC 3533).

    Example:

        >>> import io
        >>> contents = BEGIN + bytes(20) + bytes([1, 7]) + b"fishead"
        >>> sound = BEGIN + bytes(8) + bytes([1]) + bytes(12)
        >>> without_skeleton(io.BytesIO(contents + sound))
        [(35, 62)]
    """
    size, at, begin = file.seek(0, os.SEEK_END), 0, 0
    parts: list[tuple[int, int]] = []
    skeletons: set[int] = set()
    while at < size:
        file.seek(at)
        content = file.read(LARGEST_PAGE)
        found = page(content, 0, at)
        if found is None:
            break
        if found.flags & FIRST and content[27 + content[26] :].startswith(b"fishead"):
            skeletons.add(found.serial)
        if found.serial in skeletons:
            parts.append((begin, at))
            begin = found.end
        at = found.end
    return [(start, end) for start, end in [*parts, (begin, size)] if end > start]


def last_pages(file: BinaryIO, start: int, end: int) -> list[Page]:
    """Return the last pages of a link, in order: if possible at least two with different positions.

    The last page may end after `end` if the file was cut.

    Example:

        >>> import io
        >>> first, last = BEGIN + bytes(21), b"OggS" + bytes([0, LAST]) + bytes(21)
        >>> [found.start for found in last_pages(io.BytesIO(first + last), 0, 54)]
        [0, 27]
    """
    reach = 2 * LARGEST_PAGE
    while True:
        begin = max(start, end - reach)
        file.seek(begin)
        found = _pages(file.read(end - begin), begin)
        if begin == start or len({entry.granule for entry in found if entry.granule >= 0}) > 1:
            return found
        reach *= 4


def _pages(content: bytes, start: int) -> list[Page]:
    """Return all pages in `content`, in order; bytes inside a page that look like a page are ignored."""
    found: list[Page] = []
    at = content.find(b"OggS\0")
    while at >= 0:
        entry = page(content, at, start)
        if entry is not None:
            found.append(entry)
        at = content.find(b"OggS\0", at + (entry.size if entry is not None else 1))
    return found


def ended(content: bytes) -> bytes:
    """Return the bytes of a page with the flag for the last page, and with the new checksum.

    Example:

        >>> page(ended(b"OggS" + bytes(23))).flags == LAST
        True
    """
    changed = bytearray(content)
    changed[5] |= LAST
    changed[22:26] = bytes(4)
    value = 0
    table = _checksums()
    for byte in changed:
        value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ byte]
    changed[22:26] = value.to_bytes(4, "little")
    return bytes(changed)


@cache
def _checksums() -> list[int]:
    """Return the checksum of each byte, with the polynomial 0x04c11db7 and the highest bit first."""
    found: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if value >> 31 else 0)
        found.append(value)
    return found
