"""The pages of an Ogg file (RFC 3533): which streams follow one another, and where their last pages begin."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

BEGIN = b"OggS\0\x02"  # of a page that begins a stream
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
    """A page's header, and how many bytes the whole page has."""

    start: int
    flags: int
    granule: int
    """Where its last finished packet ends, in samples; −1 where none does."""
    serial: int
    size: int

    @property
    def end(self) -> int:
        """The byte after it."""
        return self.start + self.size


def page(content: bytes, at: int = 0, start: int = 0) -> Page | None:
    """Of the page at a place of `content`, which is byte `start` + `at` of the file; None where none is."""
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
    """The first bytes of all streams that follow one another or begin together, in order."""
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
    """First byte and the one after the last of each link of a chain; streams that begin together are one."""
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
    """Whether an Opus packet is coded by SILK, alone or with CELT above it (RFC 6716, Sec. 3.1)."""
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
    """What the streams that begin at `start` hold."""
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
    """The parts of the file between the pages of its Skeleton streams (RFC 3533's table of contents)."""
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
    """The pages at the end of a link, oldest first: at least two with a place of their own, where there are.

    The last of them may reach beyond `end`, where the file was cut.
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
    """One behind the other; what looks like a page within another is none."""
    found: list[Page] = []
    at = content.find(b"OggS\0")
    while at >= 0:
        entry = page(content, at, start)
        if entry is not None:
            found.append(entry)
        at = content.find(b"OggS\0", at + (entry.size if entry is not None else 1))
    return found


def ended(content: bytes) -> bytes:
    """The bytes of a page with the flag that it is the last, and the checksum of that."""
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
    """Of each byte: the polynomial 0x04c11db7, from the highest bit on."""
    found: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if value >> 31 else 0)
        found.append(value)
    return found
