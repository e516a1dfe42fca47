"""Libraries that write pictures: Pillow, OpenCV and tifffile. Their files contain the passed values."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.valid_files import opinions, samples
from benchmarks.valid_files.picture_programs import CLOSE
from benchmarks.valid_files.setting import EXACT, PICTURE, Setting, Tolerance

DEEP = Tolerance(1, 1)  # 16 bits become 8 by rounding, here and there
PILLOW: tuple[tuple[str, str, tuple[dict[str, Any], ...]], ...] = (
    (".png", "grey la rgb rgba grey16", ({}, {"optimize": True}, {"compress_level": 0})),
    (".png", "palette grey1", ({"bits": 8}, {"bits": 4}, {})),
    (".webp", "rgb rgba", ({"lossless": True, "exact": True},)),
    (".gif", "grey palette grey1", ({}, {"interlace": 0}, {"optimize": True})),
    (".bmp", "grey rgb grey1 palette", ({},)),
    (".tga", "grey rgb rgba palette", ({"compression": "tga_rle"}, {}, {"orientation": -1})),
    (".pcx", "grey rgb grey1 palette", ({},)),
    (".sgi", "grey rgb rgba", ({},)),
    (".qoi", "rgb rgba", ({},)),
    (".jp2", "grey rgb", ({"irreversible": False, "num_resolutions": 1},)),
    (
        ".tif",
        "grey rgb rgba grey16",
        ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"compression": "packbits"}),
    ),
    (".tif", "grey1", ({"compression": "group4"}, {"compression": "group3"}, {"compression": "tiff_lzw"})),
    (".ppm", "grey rgb", ({},)),
)
OPENCV: tuple[tuple[str, str, tuple[tuple[str, int], ...]], ...] = (
    (
        ".png",
        "grey rgb rgba rgb16 grey16",
        (("PNG_COMPRESSION", 0), ("PNG_STRATEGY", 3), ("PNG_FILTER", 128)),
    ),
    (".bmp", "grey rgb rgba", (("", 0),)),
    (".ppm", "rgb rgb16", (("PXM_BINARY", 0), ("PXM_BINARY", 1))),
    (".pgm", "grey grey16", (("PXM_BINARY", 0), ("PXM_BINARY", 1))),
    (
        ".tiff",
        "grey rgb rgba rgb16 grey16",
        (
            ("TIFF_COMPRESSION", 1),
            ("TIFF_COMPRESSION", 5),
            ("TIFF_COMPRESSION", 8),
            ("TIFF_COMPRESSION", 32773),
        ),
    ),
    (".webp", "rgb rgba", (("WEBP_QUALITY", 101),)),
)
OPENCV_LOSSY = (
    ("JPEG_QUALITY", 97),
    ("JPEG_PROGRESSIVE", 1),
    ("JPEG_RST_INTERVAL", 2),
    ("JPEG_OPTIMIZE", 1),
    *(("JPEG_SAMPLING_FACTOR", code) for code in (0x411111, 0x221111, 0x211111, 0x121111, 0x111111)),
)


def settings() -> Iterator[Setting]:
    """Return the settings of the three libraries."""
    for suffix, modes, lines in PILLOW:
        for mode in modes.split():
            for line in lines:
                yield _setting("Pillow", suffix, mode, str(line), partial(_pillow, mode, line))
    for suffix, modes, flags in OPENCV:
        for mode in modes.split():
            for flag in flags:
                yield _setting("OpenCV", suffix, mode, f"{flag[0]} {flag[1]}", partial(_opencv, mode, flag))
    for flag in OPENCV_LOSSY:
        write = partial(_opencv, "rgb", flag)
        yield Setting(
            PICTURE,
            "OpenCV",
            f"rgb: {flag[0]} {flag[1]:#x}",
            ".jpg",
            lambda *a, w=write: (w(*a), None)[1],
            opinions.by("djpeg"),
            CLOSE,
        )
    yield from _tiffs()


def _setting(encoder: str, suffix: str, mode: str, line: str, write: Any) -> Setting:
    tolerance = EXACT if mode in ("grey", "rgb", "palette", "grey1") else DEEP
    return Setting(PICTURE, encoder, f"{mode}: {line}", suffix, write, None, tolerance)


def _pillow(mode: str, options: dict[str, Any], path: Path, rng: np.random.Generator) -> Any:
    from PIL import Image

    values = samples.picture(rng, mode)
    image = Image.fromarray(values)
    image = image.convert("1") if mode == "grey1" else image.quantize(16) if mode == "palette" else image
    image.save(path, **options)
    return samples.eight(values)


def _opencv(mode: str, flag: tuple[str, int], path: Path, rng: np.random.Generator) -> Any:
    import cv2

    values = samples.picture(rng, mode)
    order = [2, 1, 0, 3][: values.shape[-1]] if values.ndim == 3 else slice(None)
    swapped = np.ascontiguousarray(values[..., order]) if values.ndim == 3 else values
    flags = [getattr(cv2, f"IMWRITE_{flag[0]}"), flag[1]] if flag[0] else []
    assert cv2.imwrite(str(path), swapped, flags)
    return samples.eight(values)


def _tiffs() -> Iterator[Setting]:
    for compression in ("", "lzw", "deflate", "packbits", "zstd"):
        for order in "<>":
            for layout in ("strips", "tiles", "planes", "predictor", "bigtiff"):
                for mode in (
                    "grey",
                    "rgb",
                    "grey16",
                    "rgb16",
                    "float",
                    "white",
                    "white16",
                    "rgba",
                    "la",
                    "int32",
                ):
                    if layout == "planes" and not mode.startswith("rgb"):
                        continue
                    if layout == "predictor" and (compression in ("", "packbits")):
                        continue
                    name = f"{mode}: {compression or 'plain'} {order} {layout}"
                    write = partial(_tiff, compression, order, layout, mode)
                    yield Setting(
                        PICTURE,
                        "tifffile",
                        name,
                        ".tif",
                        write,
                        None,
                        EXACT if mode in ("grey", "rgb", "white") else DEEP,
                    )


def _tiff(compression: str, order: str, layout: str, mode: str, path: Path, rng: np.random.Generator) -> Any:
    import tifffile

    deep = mode.endswith("16") or mode in ("float", "int32")
    base = mode if mode.startswith(("rgb", "la", "grey")) else "grey16" if deep else "grey"
    values = samples.picture(rng, base)
    expected = samples.eight(values)
    options: dict[str, Any] = {
        "photometric": "rgb" if base.startswith("rgb") else "minisblack",
        "metadata": None,
    }
    if mode == "float":
        values = (values / 65535).astype(np.float32)
    elif mode == "int32":
        values = values.astype(np.int32)
    elif mode.startswith("white"):
        options["photometric"], values = "miniswhite", np.iinfo(values.dtype).max - values
    if mode in ("rgba", "la"):
        options["extrasamples"] = ["unassalpha"]
    if layout == "planes":
        options["planarconfig"], values = "separate", values.transpose(2, 0, 1)
    elif mode in ("la",):
        options["planarconfig"] = "contig"
    if layout == "tiles":
        options["tile"] = (16, 32)
    if layout == "strips":
        options["rowsperstrip"] = 3
    options["predictor"] = layout == "predictor"
    file = io.BytesIO()
    tifffile.imwrite(
        file, values, byteorder=order, compression=compression or None, bigtiff=layout == "bigtiff", **options
    )
    path.write_bytes(file.getvalue())
    return expected
