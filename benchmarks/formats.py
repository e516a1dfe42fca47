"""Write docs/formats.md: every kind of picture, made here as a real file, and what kakera makes of it.

    pip install -e '.[dev]' && python -m benchmarks.formats

Each file is written by another library than the one that reads it where there are two, and compared with a
second opinion: the values that were written, or another decoder. `python -m benchmarks.formats --check` exits
with 1 where the page is not what would be written.
"""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import sound_formats
from kakera.data.images import kinds
from kakera.data.images.decode import decode
from kakera.data.images.value_range import range_from_options
from kakera.errors import UnreadableFileError

FOUND = Path(__file__).parents[1] / "docs" / "valid-files.json"
VALID = """
## Thousands of valid files

`python -m benchmarks.valid_files --count 2000` has encoders that are independent of kakera write files in
their odd settings and sizes, and compares what training would read with what was written, or, of lossy kinds,
with another decoder. What is lossless must be equal, 16 bits and opacity to one grey level, floats to one
rounding. Of lossy pictures another build of the same library may be 2 grey levels apart, another decoder 4,
one that enlarges chroma in its own way 40 at edges and 2.5 in the mean; of lossy recordings 5e-5 of full
scale. Opus below 48 kHz is compared with the reference decoder resampled, which leaves other band edges: 0.25
at most, 0.03 in the mean. The length is that of what was written, in samples, wherever the
format can say it; a piece from the middle equals the same piece of the whole.

Last: {files} files in {settings} settings, in {seconds:.0f} s: {encoders}.{absent} {differ} differ, of which
{unexplained} are not explained.

| files | why they differ |
|---|---|
{rows}
"""
PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
DEEP = np.linspace(0, 65535, 32 * 40).reshape(32, 40).astype(np.uint16)
WIDE = np.stack([DEEP, DEEP[::-1], DEEP // 2], -1)
COLOUR = (WIDE >> 8).astype(np.uint8)
FLOATS = (DEEP / 65535).astype(np.float32)
NEEDED = ("tifffile", "cv2", "pillow_heif", "pillow_jxl", "soundfile", "av")
LOSSY = 60  # of 255: how far a value may be changed by lossy coding of these gradients
HEAD = """# Formats of pictures and recordings

Made by `benchmarks/formats.py`, which writes a file of each kind, reads it with kakera and compares the
values with a second opinion: what was written, or another decoder. Values are compared as 0 … 255; "exact"
is at most 1 apart.

Deep values (16 bits, 32 bits, floats) become 0 … 255 by one rule a data set: what is black and what is
white is measured on a sample, shown by `kakera inspect`, and stored with the weights (`values` in
`kakera.json`), so that training, prediction, the explorer and ONNX agree. Values of 16 bits are taken to
have 8, 10, 12, 14 or 16 bits, floats to be 0 … 1 where they are no more than 5 % above 1, all others to
reach their highest value. `--bits 12` or `--value-range 0 1000` says it instead. What lies outside is
clipped and counted; values far below zero are refused, with the file's name, unless `--value-range` begins
there. A model that knows no range takes 16 bits as 0 … 65535.

A JPEG of more than 100 megapixels, up to 1600, is decoded at a half or a quarter of its size, unless it is
progressive. Other pictures of more are counted as too large and listed in `unreadable.csv`.

HEIC needs `pip install 'kakera[heif]'`, JPEG XL `'kakera[jxl]'`, the TIFFs that say tifffile
`'kakera[tiff]'`. Files of other kinds are counted by suffix, with the reason, by `kakera inspect` and in a
line of every training, which also names a class of which no file is left.

## Many channels

TIFFs of 2 or 4 to 16 channels (microscopes, satellites) go the whole way as they are: `inspect`, training,
`predict`, ONNX, `pack`, `explain` and the explorer, which shows three channels, the first unless others are
chosen. All files of a folder need the same number; one that has another is named. A channel is opacity
only where the tag ExtraSamples says so, or where it is missing behind red, green and blue, as OpenCV writes
them; then the picture is laid on white. Where the tag PhotometricInterpretation says red, green and blue,
`--channels 3` takes these alone. All channels share one range of values. RandAugment moves and turns such
pictures and leaves their values alone. Of a file with several pages the first is read.

## Kinds of files

| suffix | kind | read by | result | second opinion |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Case:
    """A file, and the values (0 … 255) that it should give; None where it is refused."""

    suffix: str
    kind: str
    library: str
    content: Callable[[], bytes]
    expected: Any
    opinion: str
    bits: int = 0
    lossy: bool = False

    def row(self) -> str:
        """Of the table."""
        return f"| {self.suffix} | {self.kind} | {self.library} | {self._result()} | {self.opinion} |"

    def _result(self) -> str:
        try:
            channels = 3 if self.expected is None else np.shape(np.atleast_3d(self.expected))[2]
            found = decode(self.content(), channels, ranges=range_from_options(self.bits))
        except UnreadableFileError as error:
            return "refused: " + error.reason.partition(", expected")[0].removeprefix("got ")
        if self.expected is None:
            return "READ, THOUGH IT SHOULD NOT BE"
        far = np.abs(found.astype(int) - np.asarray(self.expected).reshape(found.shape)).max()
        if far <= 1:
            return "read, exact"
        return "read, lossy" if self.lossy and far <= LOSSY else f"WRONG BY {far}"


def pillow(values: Any, kind: str, **options: Any) -> bytes:
    """A file by Pillow."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def opencv(values: Any, suffix: str) -> bytes:
    """A file by OpenCV."""
    import cv2

    return bytes(cv2.imencode(suffix, values[..., ::-1] if values.ndim == 3 else values)[1])


def tiff(values: Any, **options: Any) -> bytes:
    """A file by tifffile."""
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def heif(values: Any) -> bytes:
    """A lossless HEIC file."""
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(values)).save(file, quality=-1, chroma=444)
    return file.getvalue()


def jxl(values: Any) -> bytes:
    """A lossless JPEG XL file."""
    kinds.plugged("pillow_jxl")
    return pillow(values, "JXL", lossless=True)


def jpeg_of_12_bits() -> bytes:
    """A JPEG whose frame says so."""
    content = bytearray(pillow(COLOUR, "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place : place + 2], content[place + 4] = b"\xff\xc1", 12
    return bytes(content)


def pgm(most: int) -> bytes:
    """A portable grey map, written out."""
    values = DEEP.astype(int) * most // 65535
    return f"P5 40 32 {most}\n".encode() + values.astype(">u2" if most > 255 else "u1").tobytes()


def cases() -> list[Case]:
    """All rows."""
    grey, eight = COLOUR[..., 0], (WIDE.astype(int) + 128) // 257
    twelve, wide12 = DEEP >> 4, WIDE >> 4
    expected12, wide_expected12 = (np.round(values * (255 / 4095)) for values in (twelve, wide12))
    written, cv2_s = "values written", "values written by OpenCV"
    many = ("Pillow", "tifffile")
    found = [
        Case(
            ".jpg .jpeg .jpe .jfif",
            "8 bits",
            "simplejpeg, Pillow",
            lambda: opencv(COLOUR, ".jpg"),
            COLOUR,
            cv2_s,
            lossy=True,
        ),
        Case(".jpg", "12 bits", "-", jpeg_of_12_bits, None, "its frame header"),
        Case(".png .apng", "8 bits", "Pillow", lambda: opencv(COLOUR, ".png"), COLOUR, cv2_s),
        Case(".png", "16-bit grey", "Pillow", lambda: opencv(DEEP, ".png"), eight[..., 0], cv2_s),
        Case(".png", "16-bit colour", "Pillow", lambda: opencv(WIDE, ".png"), eight, cv2_s),
        Case(".png", "12 bits in 16, grey", "Pillow", lambda: opencv(twelve, ".png"), expected12, cv2_s, 12),
        Case(
            ".png",
            "12 bits in 16, colour",
            "Pillow",
            lambda: opencv(wide12, ".png"),
            wide_expected12,
            cv2_s,
            12,
        ),
        Case(
            ".webp",
            "8 bits, lossless",
            "Pillow",
            lambda: pillow(COLOUR, "WEBP", lossless=True),
            COLOUR,
            written,
        ),
        Case(".gif", "first frame", "Pillow", lambda: pillow(grey, "GIF"), grey, written),
        Case(".bmp .dib", "8 bits", "Pillow", lambda: opencv(COLOUR, ".bmp"), COLOUR, cv2_s),
        Case(
            ".jp2 .j2k .jpc .jpf .jpx .j2c",
            "8 bits",
            "Pillow",
            lambda: pillow(COLOUR, "JPEG2000"),
            COLOUR,
            written,
        ),
        Case(".jp2", "16-bit grey", "Pillow", lambda: opencv(DEEP, ".jp2"), eight[..., 0], cv2_s, lossy=True),
        Case(".jp2", "16-bit colour", "-", lambda: opencv(WIDE, ".jp2"), None, "its codestream header"),
        Case(".ppm .pgm .pbm .pnm", "8 bits", "Pillow", lambda: opencv(COLOUR, ".ppm"), COLOUR, cv2_s),
        Case(
            ".pgm",
            "4095 is white",
            "Pillow",
            lambda: pgm(4095),
            np.round((DEEP.astype(int) * 4095 // 65535) * (255 / 4095)),
            "its own maximum",
        ),
        Case(".pfm", "floats", "Pillow", lambda: pillow(FLOATS, "PPM"), np.round(FLOATS * 255), written),
        Case(".tga .icb .vda .vst", "8 bits", "Pillow", lambda: pillow(COLOUR, "TGA"), COLOUR, written),
        Case(
            ".avif .avifs",
            "8 bits",
            "Pillow",
            lambda: pillow(COLOUR, "AVIF", quality=100, subsampling="4:4:4"),
            COLOUR,
            written,
            lossy=True,
        ),
        Case(".sgi .rgb .rgba .bw", "8 bits", "Pillow", lambda: pillow(COLOUR, "SGI"), COLOUR, written),
        Case(".pcx", "8 bits", "Pillow", lambda: pillow(COLOUR, "PCX"), COLOUR, written),
        Case(".qoi", "8 bits", "Pillow", lambda: pillow(COLOUR, "QOI"), COLOUR, written),
        Case(
            ".ico",
            "8 bits",
            "Pillow",
            lambda: pillow(COLOUR[:32, :32].copy(), "ICO", sizes=[(32, 32)]),
            COLOUR[:32, :32],
            written,
        ),
        Case(".heic .heif .hif", "8 bits", "pillow-heif", lambda: heif(COLOUR), COLOUR, written, lossy=True),
        Case(".jxl", "8 bits, lossless", "pillow-jxl-plugin", lambda: jxl(COLOUR), COLOUR, written),
    ]
    for name, compression in (("", None), (", LZW", "lzw"), (", deflate", "deflate")):
        for order, words in (("<", "little-endian"), (">", "big-endian")):
            options: dict[str, Any] = {"compression": compression, "byteorder": order}

            def made(values: Any, options: dict[str, Any] = options, **more: Any) -> Callable[[], bytes]:
                return lambda: tiff(values, **options, **more)

            how = f"{words}{name}"
            swaps = order == ">" and compression is not None
            black = {"photometric": "minisblack"}
            tile = {"tile": (16, 16)}
            found += [
                Case(".tif .tiff", f"8 bits, {how}", "Pillow", made(grey, **black), grey, written),
                Case(".tif", f"16 bits, {how}", "Pillow", made(DEEP, **black), eight[..., 0], written),
                Case(
                    ".tif",
                    f"16 bits, tiles, {how}",
                    "Pillow",
                    made(DEEP, **black, **tile),
                    eight[..., 0],
                    written,
                ),
                Case(
                    ".tif",
                    f"16 bits, zero is white, {how}",
                    "Pillow",
                    made(DEEP, photometric="miniswhite"),
                    (65535 - DEEP.astype(int) + 128) // 257,
                    "65535 − value",
                ),
                Case(
                    ".tif",
                    f"8 bits, zero is white, {how}",
                    "Pillow",
                    made(grey, photometric="miniswhite"),
                    255 - grey,
                    "255 − value",
                ),
                Case(
                    ".tif",
                    f"12 bits in 16, colour, {how}",
                    "Pillow",
                    made(wide12, photometric="rgb"),
                    wide_expected12,
                    written,
                    12,
                ),
                Case(
                    ".tif",
                    f"16-bit colour, channel after channel, {how}",
                    many[compression is None],
                    made(WIDE.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
                    eight,
                    written,
                ),
                Case(
                    ".tif",
                    f"32-bit floats, {how}",
                    many[swaps],
                    made(FLOATS, **black),
                    np.round(FLOATS * 255),
                    written,
                ),
                Case(
                    ".tif",
                    f"64-bit floats, {how}",
                    "tifffile",
                    made(FLOATS.astype(float), **black),
                    np.round(FLOATS * 255),
                    written,
                ),
                Case(
                    ".tif",
                    f"32-bit whole numbers, {how}",
                    many[swaps],
                    made((FLOATS * 200).astype(np.int32), **black),
                    (FLOATS * 200).astype(int),
                    written,
                ),
            ]
    found += [
        Case(
            ".tif",
            "floats below zero",
            "-",
            lambda: tiff(FLOATS - 0.5, photometric="minisblack"),
            None,
            written,
        ),
        Case(".tif", "floats, zero is white", "-", lambda: tiff(FLOATS, photometric="miniswhite"), None, "-"),
        Case(
            ".tif",
            "signed bytes below zero",
            "-",
            lambda: tiff((FLOATS * 200 - 100).astype(np.int8), photometric="minisblack"),
            None,
            written,
        ),
        Case(
            ".tif",
            "5 channels of 16 bits",
            "tifffile",
            lambda: tiff(np.dstack([DEEP] * 5), photometric="minisblack", planarconfig="contig"),
            np.dstack([eight[..., 0]] * 5),
            written,
        ),
    ]
    return found


def page() -> str:
    """The whole page; raises AssertionError where a row is wrong."""
    rows = [case.row() for case in cases()]
    wrong = [row for row in rows if "WRONG" in row or "READ, THOUGH" in row]
    assert not wrong, "\n".join(wrong)
    left = {suffix: (why, "") for suffix, why in kinds.LEFT.items()}
    groups: dict[str, list[str]] = {}
    for suffix, (why, _) in left.items():
        groups.setdefault(why, []).append(suffix)
    rows += [
        f"| {' '.join(suffixes)} | {why} | - | not read, counted | - |" for why, suffixes in groups.items()
    ]
    return HEAD + "\n".join(rows) + "\n" + sound_formats.section() + valid_files_section()


def valid_files_section() -> str:
    """What the last run of `benchmarks.valid_files` found."""
    found = json.loads(FOUND.read_text())
    encoders = ", ".join(f"{name} {count}" for name, count in found["encoders"].items())
    reasons: dict[str, list[str]] = {}
    for one in found["mismatches"]:
        reasons.setdefault(one["reason"] or "NOT EXPLAINED", []).append(one["file"])
    rows = [f"| {len(files)} | {reason} |" for reason, files in reasons.items()]
    absent = f" Not installed: {', '.join(found['left_out'])}." if found["left_out"] else ""
    return VALID.format(
        files=found["files"],
        settings=found["settings"],
        encoders=encoders,
        absent=absent,
        seconds=found["seconds"],
        differ=len(found["mismatches"]),
        unexplained=len(reasons.get("NOT EXPLAINED", [])),
        rows="\n".join(rows),
    )


def main() -> int:
    """Write the page, or compare it."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        print(
            f"formats: got no {', '.join(absent)}, expected the dev extra; pip install -e '.[dev]'",
            file=sys.stderr,
        )
        return 2
    found = page()
    if "--check" in sys.argv:
        return int(found != PAGE.read_text())
    PAGE.write_text(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
