"""Small changes to valid picture files that Pillow cannot read otherwise."""

from __future__ import annotations

import struct

import numpy as np

TGA_FOOTER = 26  # bytes at the end, in which Pillow looks for a footer
PCX_HEADER, RUN = 128, 0xC0
SGI_HEADER, RUN_LENGTHS = 512, 1


def mended(kind: str, start: bytes) -> bool:
    """Return True if a file needs `content_of`; `kind` is Pillow's format name, `start` the first bytes.

    Example:

        >>> mended("TGA", b"short"), mended("PNG", b"short")
        (True, False)
    """
    return (
        (kind == "TGA" and len(start) < TGA_FOOTER)
        or (kind == "PCX" and start[2:3] == b"\0")
        or (kind == "SGI" and start[2:3] == bytes([RUN_LENGTHS]))
    )


def content_of(kind: str, content: bytes) -> bytes:
    """Return the bytes of the same picture in a form that Pillow reads. Raises ValueError, struct.error.

    Example:

        >>> len(content_of("TGA", b"short")) - len(b"short") == TGA_FOOTER
        True
    """
    if kind == "TGA":
        return content + bytes(TGA_FOOTER)
    return _with_runs(content) if kind == "PCX" else _with_ends(content)


def _with_runs(content: bytes) -> bytes:
    """Add run lengths to a PCX file without them: a byte that looks like a run becomes a run of 1."""
    body = np.frombuffer(content[PCX_HEADER:], np.uint8)
    high = body >= RUN
    places = np.arange(len(body)) + np.cumsum(high)
    found = np.full(len(body) + int(high.sum()), RUN + 1, np.uint8)
    found[places] = body
    return content[:2] + b"\1" + content[3:PCX_HEADER] + found.tobytes()


def _with_ends(content: bytes) -> bytes:
    """Add the zero at the end of each row of an SGI file; ffmpeg does not write it."""
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
