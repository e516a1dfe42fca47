"""Picture encoders of ffmpeg, and files that are assembled byte by byte here."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.valid_files import opinions, samples
from benchmarks.valid_files.picture_programs import CLOSE
from benchmarks.valid_files.setting import EXACT, PICTURE, Setting, Tolerance, run

FORMATS = {
    "grey": "gray",
    "rgb": "rgb24",
    "rgba": "rgba",
    "la": "ya8",
    "grey16": "gray16le",
    "rgb16": "rgb48le",
}
LOSSLESS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (".png", "grey la rgb rgba rgb16 grey16", ("-pred paeth", "-pred mixed -flags +ildct", "-pred none")),
    (".apng", "rgb rgba grey16", ("-f apng -pred avg",)),
    (
        ".tif",
        "grey rgb rgba rgb16 grey16",
        tuple(f"-compression_algo {n}" for n in ("packbits", "lzw", "deflate", "raw")),
    ),
    (".bmp", "grey", ("",)),
    (".tga", "grey rgb", ("-rle 1", "-rle 0")),
    (".sgi", "grey rgb rgba", ("-rle 1", "-rle 0")),
    (".pcx", "grey rgb", ("",)),
    (".ppm", "rgb rgb16", ("",)),
    (".pgm", "grey", ("",)),
    (".jxl", "rgb grey", ("-c:v libjxl -distance 0 -effort 3",)),
    (".webp", "rgba", ("-c:v libwebp -lossless 1",)),
    (".jp2", "rgb grey", ("-c:v libopenjpeg -compression_level 0 -numresolution 1",)),
)
TRANSFORM = Tolerance(4, 0.6)  # another transform and other colours
ROUNDED = Tolerance(1, 1)  # 5 or 6 bits become 8 by rounding, repeating bits, or cutting off
JPEGS = ("yuvj420p", "yuvj422p", "yuvj444p")
SIXTEEN = {"rgb565le": (5, 6, 5), "rgb555le": (5, 5, 5)}


def settings() -> Iterator[Setting]:
    """Return the settings of ffmpeg and of the assembled files."""
    for suffix, modes, lines in LOSSLESS:
        for mode in modes.split():
            for line in lines:
                write = partial(_written, mode, line, True)
                tolerance = EXACT if mode in ("grey", "rgb") else Tolerance(1, 1)
                yield Setting(PICTURE, "ffmpeg", f"{mode}: {line}", suffix, write, None, tolerance)
    for layout in JPEGS:
        for quality in (2, 12):
            for more in ("", "-huffman default"):
                line = f"-pix_fmt {layout} -q:v {quality} {more}"
                write = partial(_written, "rgb", line, False)
                yield Setting(PICTURE, "ffmpeg", f"rgb: {line}", ".jpg", write, opinions.by("djpeg"), CLOSE)
                if layout == "yuvj444p":  # ffmpeg enlarges chroma by another filter
                    name = f"rgb: {line}, by ffmpeg"
                    yield Setting(PICTURE, "ffmpeg", name, ".jpg", write, opinions.ffmpeg_picture, TRANSFORM)
    for layout in SIXTEEN:
        for suffix in (".bmp", ".tga"):
            if (suffix, layout) != (".tga", "rgb565le"):
                yield Setting(PICTURE, "ffmpeg", layout, suffix, partial(_sixteen, layout), None, ROUNDED)
    for shown in ("bottom-up", "top-down"):
        for bits in (1, 4, 8, 16, 24, 32):
            yield Setting(
                PICTURE,
                "bytes",
                f"{bits} bits {shown}",
                ".bmp",
                partial(_bmp, bits, shown == "top-down"),
                None,
                ROUNDED if bits == 16 else EXACT,
            )
    for orientation in range(1, 9):
        yield Setting(
            PICTURE, "bytes", f"EXIF orientation {orientation}", ".jpg", partial(_turned_jpeg, orientation)
        )
    yield Setting(PICTURE, "bytes", "frame offset within the canvas", ".gif", _gif, opinions.ffmpeg_picture)


def _raw(mode: str, values: Any) -> list[str]:
    height, width = values.shape[:2]
    shape = ["-s", f"{width}x{height}"]
    return [
        opinions.FFMPEG,
        "-v",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        FORMATS.get(mode, mode),
        *shape,
        "-i",
        "-",
    ]


def _written(mode: str, line: str, exact: bool, path: Path, rng: Any) -> Any:
    values = samples.picture(rng, mode)
    run([*_raw(mode, values), "-frames:v", "1", *line.split(), str(path)], values.tobytes())
    return samples.eight(values) if exact else None


def _sixteen(layout: str, path: Path, rng: Any) -> Any:
    values = samples.picture(rng, "rgb")
    bits = SIXTEEN[layout]
    words, expected = _packed(values, bits)
    run([*_raw(layout, values), "-frames:v", "1", str(path)], words.astype("<u2").tobytes())
    return expected


def _packed(values: Any, bits: tuple[int, ...]) -> tuple[Any, Any]:
    """Return pixels with red, green and blue of few bits in one word, and their values (0 … 255)."""
    parts = [values[..., at].astype(int) >> (8 - width) for at, width in enumerate(bits)]
    words = (parts[0] << (bits[1] + bits[2])) | (parts[1] << bits[2]) | parts[2]
    eight = [np.floor(part * 255 / (2**width - 1) + 0.5) for part, width in zip(parts, bits, strict=True)]
    return words, np.stack(eight, -1).astype(np.uint8)


def _bmp(bits: int, top_down: bool, path: Path, rng: Any) -> Any:
    values = samples.picture(rng, "rgb" if bits > 8 else "grey4")
    height, width = values.shape[:2]
    palette = b""
    if bits <= 8:
        colours = rng.integers(0, 256, (2**bits, 3), dtype=np.uint8)
        codes = (values.astype(int) * (2**bits - 1) // 255).astype(np.uint8)
        expected = colours[codes]
        palette = np.insert(colours[:, ::-1], 3, 0, axis=1).tobytes()
        each = np.unpackbits(codes[..., None], axis=-1)[..., 8 - bits :].reshape(height, -1)
        rows = [np.packbits(row).tobytes() for row in each]
    elif bits == 16:
        words, expected = _packed(values, (5, 5, 5))
        rows = [row.astype("<u2").tobytes() for row in words]
    else:
        expected = values
        swapped = values[..., ::-1] if bits == 24 else np.insert(values[..., ::-1], 3, 0, axis=2)
        rows = [row.tobytes() for row in swapped]
    rows = [row + bytes(-len(row) % 4) for row in rows]
    data = b"".join(rows if top_down else rows[::-1])
    tall = -height if top_down else height
    head = struct.pack("<IiiHHIIiiII", 40, width, tall, 1, bits, 0, len(data), 2835, 2835, 0, 0)
    place = 14 + len(head) + len(palette)
    path.write_bytes(struct.pack("<2sIII", b"BM", place + len(data), 0, place) + head + palette + data)
    return expected


def _turned_jpeg(orientation: int, path: Path, rng: Any) -> Any:
    """Write a JPEG with cjpeg and an EXIF block; the values are those of djpeg, rotated by the tag."""
    values = samples.picture(rng, "rgb")
    plain = run([opinions.program("cjpeg"), "-quality", "95"], samples.pnm(values))
    order = b"II*\0" if orientation % 2 else b"MM\0*"
    small = "<" if orientation % 2 else ">"
    entry = struct.pack(small + "IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + order + entry
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:])
    found = samples.parsed(run([opinions.program("djpeg"), "-pnm"], plain))
    if orientation >= 5:
        found = found.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        found = found[::-1]
    return found[:, ::-1] if orientation in (2, 3, 6, 7) else found


def _gif(path: Path, rng: Any) -> None:
    """Write a frame with ImageMagick at (3, 2) of a larger canvas, which has the background colour."""
    values = samples.picture(rng, "palette")
    height, width = values.shape[:2]
    page = f"{width + 9}x{height + 7}+3+2"
    run([opinions.CONVERT, "png:-", "-repage", page, f"gif:{path}"], samples.png(values))
