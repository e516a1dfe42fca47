"""Write docs/formats.md: a real file of every kind of picture, and how kakera reads it.

    pip install -e '.[dev]' && python -m benchmarks.formats

If possible, each file is written by another library than the one that reads it. The values are compared with
a second opinion: the written values, or another decoder. `python -m benchmarks.formats --check` exits with 1
if the page differs from the generated text.
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

`python -m benchmarks.valid_files --count 2000` writes files with encoders that are independent of kakera,
in unusual settings and sizes. It compares the values that training would read with the written values, or,
for lossy formats, with another decoder. Lossless values must be equal: 16 bits and opacity to one grey
level, floats to one rounding. Lossy pictures may differ by 2 grey levels from another build of the same
library, by 4 from another decoder, and by 40 at edges and 2.5 in the mean from a decoder that enlarges
chroma differently. Lossy recordings may differ by 5e-5 of full scale. Opus below 48 kHz is compared with
the resampled output of the reference decoder, which has other band edges: 0.25 at most, 0.03 in the mean.
The length in samples must equal the written length, if the format stores it. A piece from the middle must
equal the same piece of the whole recording.

Last run: {files} files in {settings} settings, in {seconds:.0f} s: {encoders}.{absent} {differ} files differ,
{unexplained} of them without a known reason.

| files | reason of the difference |
|---|---|
{rows}
"""
PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
DEEP = np.linspace(0, 65535, 32 * 40).reshape(32, 40).astype(np.uint16)
WIDE = np.stack([DEEP, DEEP[::-1], DEEP // 2], -1)
COLOUR = (WIDE >> 8).astype(np.uint8)
FLOATS = (DEEP / 65535).astype(np.float32)
NEEDED = ("tifffile", "cv2", "pillow_heif", "pillow_jxl", "soundfile", "av")
LOSSY = 60  # of 255: largest change of a value by lossy coding of these gradients
HEAD = """# Formats of pictures and recordings

The script `benchmarks/formats.py` generates this page. It writes a file of each kind, reads it with kakera
and compares the values with a second opinion: the written values, or another decoder. Values are compared
as 0 … 255; "exact" means a difference of at most 1.

Values of 16 bits, 32 bits and floats are converted to 0 … 255 with one range for the whole data set. kakera
measures black and white on a sample, shows them in `kakera inspect`, and stores them with the weights
(`values` in `kakera.json`), so training, prediction, the explorer and ONNX use the same range. 16-bit
values are assumed to have 8, 10, 12, 14 or 16 bits. Floats are assumed to be 0 … 1 if they are at most 5 %
above 1. For all other values, white is the highest value. `--bits 12` or `--value-range 0 1000` sets the
range instead. Values outside the range are clipped and counted. Values far below zero are an error that
names the file, unless `--value-range` starts there. A model without a stored range reads 16 bits as 0 …
65535.

A JPEG of more than 100 megapixels, up to 1600, is decoded at a half or a quarter of its size, unless it is
progressive. Other pictures above 100 megapixels are counted as too large and listed in `unreadable.csv`.

HEIC needs `pip install 'kakera[heif]'`, JPEG XL `'kakera[jxl]'`, TIFFs with "tifffile" in the table
`'kakera[tiff]'`. `kakera inspect` and a line of every training count files of other kinds by suffix, with the
reason. They also name each class that has no readable file.

## Many channels

All commands support TIFFs of 2 or 4 to 16 channels (microscopes, satellites): `inspect`, training,
`predict`, ONNX, `pack`, `explain` and the explorer. The explorer shows three channels, by default the first
ones. All files of a folder need the same number of channels; an error names a file with another number. A
channel is opacity only if the tag ExtraSamples defines it, or if this tag is missing after red, green and
blue, as in files of OpenCV. Then the background of the picture becomes white. If the tag
PhotometricInterpretation is RGB, `--channels 3` reads only red, green and blue. All channels share one
range of values. RandAugment uses only geometric operations for such pictures, and does not change their
values. kakera reads the first page of a file with several pages.

## Kinds of files

| suffix | kind | read by | result | second opinion |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Case:
    """A file, and its expected values (0 … 255); None if kakera must refuse it."""

    suffix: str
    kind: str
    library: str
    content: Callable[[], bytes]
    expected: Any
    opinion: str
    bits: int = 0
    lossy: bool = False

    def row(self) -> str:
        """Return the row of the table."""
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
    """Write a file with Pillow."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def opencv(values: Any, suffix: str) -> bytes:
    """Write a file with OpenCV."""
    import cv2

    return bytes(cv2.imencode(suffix, values[..., ::-1] if values.ndim == 3 else values)[1])


def tiff(values: Any, **options: Any) -> bytes:
    """Write a file with tifffile."""
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def heif(values: Any) -> bytes:
    """Write a lossless HEIC file."""
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(values)).save(file, quality=-1, chroma=444)
    return file.getvalue()


def jxl(values: Any) -> bytes:
    """Write a lossless JPEG XL file."""
    kinds.load_plugins("pillow_jxl")
    return pillow(values, "JXL", lossless=True)


def jpeg_of_12_bits() -> bytes:
    """Write a JPEG whose frame header has 12 bits."""
    content = bytearray(pillow(COLOUR, "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place : place + 2], content[place + 4] = b"\xff\xc1", 12
    return bytes(content)


def pgm(most: int) -> bytes:
    """Write a portable grey map (PGM) with the largest value `most`."""
    values = DEEP.astype(int) * most // 65535
    return f"P5 40 32 {most}\n".encode() + values.astype(">u2" if most > 255 else "u1").tobytes()


def cases() -> list[Case]:
    """Return all rows of the table."""
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
    """Return the whole page. Raises AssertionError if a row is wrong."""
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
    """Return the section on the last run of `benchmarks.valid_files`."""
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
    """Write the page, or compare it with --check."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        print(
            f"formats: got no {', '.join(absent)}, expected the dev extra; run pip install -e '.[dev]'",
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
