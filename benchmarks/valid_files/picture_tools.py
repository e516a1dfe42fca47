"""ImageMagick, libvips, ffmpeg and netpbm, which write many formats: one table for each tool."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.valid_files import opinions, samples
from benchmarks.valid_files.picture_programs import CHROMA, CLOSE
from benchmarks.valid_files.setting import EXACT, PICTURE, Setting, Tolerance, program, run

EIGHTS = "grey rgb rgba"
# suffix; modes; "=" or "~"; options between the file read and the file written, one setting a line
MAGICK: tuple[tuple[str, str, str, str], ...] = (
    (".png", "grey la rgb rgba rgb16 grey16", "=", "-interlace PNG\n-quality 00\n-quality 75 -density 72"),
    (".png", "palette", "=", "-type Palette -interlace PNG\n-type Palette -depth 8\nPNG8:"),
    (".png", "grey1 grey2 grey4", "=", "-define png:color-type=0\n-interlace PNG"),
    (".gif", "palette", "=", "-interlace GIF\n-dispose none"),
    (".bmp", "rgb grey", "=", "-compress none BMP2:\n-compress none BMP3:\nBMP:"),
    (".bmp", "palette", "=", "-type Palette -compress RLE BMP3:\n-type Palette BMP3:"),
    (".bmp", "rgba", "=", "BMP:"),
    (".tga", EIGHTS + " palette", "~", "-compress RLE\n-compress none\n-orient TopLeft"),
    (".pcx", "rgb grey palette", "=", "-compress RLE\n-compress none"),
    (".sgi", "rgb grey rgba", "=", "-compress RLE\n-compress none"),
    (".ppm", "rgb rgb16 grey palette", "=", "-compress none\n-depth 16 -compress none\n-depth 16\n "),
    (".pgm", "grey grey16 grey4", "=", "-compress none\n "),
    (".pbm", "grey1", "=", "-compress none\n "),
    (".ico", "rgb rgba", "=", " "),
    (
        ".tif",
        "grey rgb rgba la rgb16 grey16",
        "=",
        "-compress LZW\n-compress Zip -endian MSB\n-compress RLE"
        "\n-compress none -define tiff:tile-geometry=16x16\n-compress Zip -interlace Plane",
    ),
    (
        ".tif",
        "grey grey1 grey4 grey16",
        "~",
        "-define quantum:polarity=min-is-white -compress none"
        "\n-define quantum:polarity=min-is-white -compress LZW -endian MSB",
    ),
    (".tif", "grey1", "=", "-compress Group4 -monochrome\n-compress Fax -monochrome"),
    (".tif", "palette", "=", "-type Palette -compress LZW\n-type Palette -compress none -endian MSB"),
    (".tif", "grey16 rgb16", "=", "-define tiff:fill-order=lsb -compress none"),
    (".webp", "rgb rgba", "=", "-define webp:lossless=true -define webp:exact=true"),
    (".jp2", "rgb grey", "=", "-quality 100 -define jp2:number-resolutions=1"),
    (
        ".jpg",
        "rgb grey",
        "~",
        "-quality 92 -sampling-factor 4:4:4\n-quality 80 -sampling-factor 4:2:0"
        " -interlace JPEG\n-sampling-factor 4:2:2\n-sampling-factor 4:1:1\n-sampling-factor 4:4:0",
    ),
    (".jpg", "rgb", "~", "-colorspace CMYK -quality 95\n-colorspace CMYK -interlace JPEG"),
    (
        ".jpg",
        "rgb",
        "~",
        "\n".join(
            f"-quality 95 -sampling-factor 4:4:4 -orient {name}"
            for name in (
                "TopRight",
                "BottomRight",
                "BottomLeft",
                "LeftTop",
                "RightTop",
                "RightBottom",
                "LeftBottom",
            )
        ),
    ),
    (".tif", "rgb", "~", "-colorspace CMYK -compress LZW\n-compress JPEG"),
    (
        ".tif",
        "rgb grey16",
        "~",
        "\n".join(
            f"-compress LZW -orient {name}"
            for name in (
                "TopRight",
                "BottomRight",
                "BottomLeft",
                "LeftTop",
                "RightTop",
                "RightBottom",
                "LeftBottom",
            )
        ),
    ),
    (".webp", "rgb", "~", "-quality 60"),
)
VIPS: tuple[tuple[str, str, str, str], ...] = (
    (".png", "grey la rgb rgba rgb16 grey16", "=", "interlace\ncompression=0,filter=none\nfilter=all"),
    (".png", "grey1", "=", "bitdepth=1"),
    (".png", "grey1 grey2", "=", "bitdepth=2"),
    (".png", "grey1 grey2 grey4", "=", "bitdepth=4"),
    (
        ".tif",
        "grey la rgb rgba rgb16 grey16",
        "=",
        "compression=deflate\ncompression=lzw,predictor=none"
        "\ncompression=zstd,tile,tile-width=16,tile-height=16\ncompression=packbits,bigtiff"
        "\ncompression=none,tile,pyramid\ncompression=zstd,predictor=horizontal",
    ),
    (".tif", "grey1", "=", "bitdepth=1,compression=ccittfax4\nbitdepth=1,miniswhite\nbitdepth=1"),
    (".tif", "grey2 grey4", "~", "bitdepth=4"),
    (".tif", "rgb", "~", "compression=jpeg,Q=90\ncompression=webp,Q=80\ncompression=jp2k,tile"),
    (".webp", "rgb rgba", "=", "lossless"),
    (".webp", "rgb", "~", "Q=50\nnear-lossless,Q=60\nQ=80,smart-subsample"),
    (".jpg", "rgb grey", "~", "Q=95,subsample-mode=off\nQ=60,interlace\nQ=80,optimize-coding,trellis-quant"),
    (".jp2", "rgb grey", "=", "lossless"),
    (".jxl", "rgb grey rgb16", "=", "lossless"),
    (".ppm", "rgb grey rgb16", "=", "ascii\n "),
    (".avif", "rgb", "~", "Q=70,effort=1,subsample-mode=off\nQ=50,effort=1"),
    (".gif", "palette", "~", "dither=0\ninterlace"),
)
NETPBM: tuple[tuple[str, str, str, str], ...] = (
    (".png", "grey rgb rgb16 grey16", "=", "pnmtopng -interlace\npnmtopng -force\npnmtopng -compression 0"),
    (".bmp", "palette", "=", "ppmtobmp -windows -bpp 8\nppmtobmp -os2\nppmtobmp -windows"),
    (".bmp", "rgb", "=", "ppmtobmp -windows -bpp 24\nppmtobmp -os2 -bpp 24"),
    (".tga", "rgb", "=", "pamtotga -rgb\npamtotga -norle -rgb"),
    (".pcx", "rgb", "=", "ppmtopcx -24bit"),
    (".sgi", "rgb grey", "=", "pnmtosgi -rle\npnmtosgi -verbatim"),
    (
        ".tif",
        "rgb grey",
        "=",
        "pamtotiff -truecolor -lzw\npamtotiff -truecolor -packbits -msb2lsb\npamtotiff -lsb2msb"
        " -truecolor -rowsperstrip 2",
    ),
    (".tif", "grey", "=", "pamtotiff -miniswhite\npamtotiff -minisblack -flate -predictor 2"),
    (".gif", "palette", "=", "pamtogif\npamtogif -interlace\npamtogif -nolzw"),
    (".ppm", "rgb rgb16", "=", "pnmtoplainpnm\npnmtopnm"),
    (".j2k", "rgb grey", "=", "pamtojpeg2k"),
    (".jpg", "rgb", "~", "pnmtojpeg -quality 80 -comment x\npnmtojpeg -progressive -density 10x20dpi"),
)
OPINIONS = {".jpg": "djpeg", ".webp": "dwebp", ".avif": "avifdec"}


def settings() -> Iterator[Setting]:
    """Return the settings of all four tools."""
    tools = (("ImageMagick", MAGICK, _magick), ("libvips", VIPS, _vips), ("netpbm", NETPBM, _netpbm))
    for encoder, table, command in tools:
        for suffix, modes, loss, lines in table:
            for line in lines.split("\n"):
                for mode in modes.split():
                    yield _setting(encoder, suffix, mode, line, loss == "=", command)


def _setting(encoder: str, suffix: str, mode: str, line: str, exact: bool, command: Any) -> Setting:
    write = partial(_written, command, encoder == "netpbm", suffix, mode, line, exact)
    tolerance = EXACT if mode in ("grey", "rgb", "palette", "grey1", "grey2", "grey4") else Tolerance(1, 1)
    opinion = None
    if not exact:
        plain = suffix in OPINIONS and not any(word in line for word in ("CMYK", "orient"))
        opinion = opinions.by(OPINIONS[suffix]) if plain else opinions.by("vips")
        by_magick = any(word in line for word in ("polarity", "bitdepth")) or suffix in (".gif", ".tga")
        if by_magick or "jp2k" in line or "CMYK" in line or (suffix == ".tif" and "orient" in line):
            opinion = opinions.magick
        tolerance = CHROMA if suffix == ".avif" else CLOSE
    return Setting(PICTURE, encoder, f"{mode}: {line.strip()}", suffix, write, opinion, tolerance)


def _written(
    command: Any, pnm: bool, suffix: str, mode: str, line: str, exact: bool, path: Path, rng: Any
) -> Any:
    values = samples.picture(rng, mode)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / ("in.pnm" if pnm else "in.png")
        given.write_bytes(samples.pnm(values) if pnm else samples.png(values))
        command(given, path, line)
    return samples.eight(values) if exact else None


def _magick(given: Path, path: Path, line: str) -> None:
    words = line.split()
    kind = words.pop() if words and words[-1].endswith(":") else ""
    run([opinions.CONVERT, str(given), *words, f"{kind}{path}"])


def _vips(given: Path, path: Path, line: str) -> None:
    run([program("vips"), "copy", str(given), f"{path}[{line.strip()}]"])


def _netpbm(given: Path, path: Path, line: str) -> None:
    name, *words = line.split()
    path.write_bytes(run([program(name), *words, str(given)]))
