"""Valid picture files that Pillow does not read as they are, with a few bytes changed."""

from __future__ import annotations

import struct

import numpy as np

TGA_FOOTER = 26  # bytes before the end, where Pillow looks for a footer
PCX_HEADER, RUN = 128, 0xC0
SGI_HEADER, RUN_LENGTHS = 512, 1


def mended(kind: str, start: bytes) -> bool:
    """Whether a file of this format of Pillow's, by its first bytes, is to be read by `content_of`."""
    return (
        (kind == "TGA" and len(start) < TGA_FOOTER)
        or (kind == "PCX" and start[2:3] == b"\0")
        or (kind == "SGI" and start[2:3] == bytes([RUN_LENGTHS]))
    )


def content_of(kind: str, content: bytes) -> bytes:
    """The bytes of the same picture as Pillow reads it. Raises ValueError, struct.error."""
    if kind == "TGA":
        return content + bytes(TGA_FOOTER)
    return _with_runs(content) if kind == "PCX" else _with_ends(content)


def _with_runs(content: bytes) -> bytes:
    """A PCX file without run lengths, with them: what looks like the beginning of a run becomes one of 1."""
    body = np.frombuffer(content[PCX_HEADER:], np.uint8)
    high = body >= RUN
    places = np.arange(len(body)) + np.cumsum(high)
    found = np.full(len(body) + int(high.sum()), RUN + 1, np.uint8)
    found[places] = body
    return content[:2] + b"\1" + content[3:PCX_HEADER] + found.tobytes()


def _with_ends(content: bytes) -> bytes:
    """An SGI file whose rows all end with a zero, which ffmpeg leaves out."""
    size, (height, channels) = content[3], struct.unpack(">HH", content[8:12])
    count = height * channels
    table = struct.unpack(f">{2 * count}I", content[SGI_HEADER : SGI_HEADER + 8 * count])
    rows: list[bytes] = []
    for start, length in zip(table[:count], table[count:], strict=True):
        if start + length > len(content):
            raise ValueError("got a row beyond the end of the file")
        rows.append(content[start : start + length] + bytes(size))
    lengths = np.array([len(row) for row in rows], np.int64)
    starts = SGI_HEADER + 8 * count + np.cumsum(lengths) - lengths
    head = struct.pack(f">{2 * count}I", *starts.tolist(), *lengths.tolist())
    return content[:SGI_HEADER] + head + b"".join(rows)
