"""Programs that write pictures, and their settings. {i} is the input file, {o} is the output file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.valid_files import opinions, samples
from benchmarks.valid_files.setting import EXACT, PICTURE, Setting, Tolerance, program, run

CLOSE = Tolerance(2, 0.6)  # decoders of lossy pictures round the transform and the colours each their way
CHROMA = Tolerance(40, 2.5)  # and enlarge chroma each their way: edges differ, areas do not
LOSSY = {"jpeg": "djpeg", "jpg": "djpeg", "webp": "dwebp", "jxl": "djxl", "heic": "heif-convert"}
LOSSY |= {"avif": "avifdec", "jp2": "opj_decompress"}

# program; format of its input; suffix; modes; settings one a line: "=" where nothing is lost, "~" where it is
PROGRAMS: tuple[tuple[str, str, str, str, str, str], ...] = (
    (
        "cjpeg",
        "pnm",
        ".jpg",
        "rgb",
        "~",
        """-quality 90 -sample {s} -outfile {o} {i}
        -progressive -quality 75 -sample {s} -outfile {o} {i}
        -optimize -restart 1 -sample {s} -outfile {o} {i}
        -quality 30 -dct float -restart 3B -sample {s} -outfile {o} {i}
        -arithmetic -sample {s} -outfile {o} {i}""",
    ),
    (
        "cjpeg",
        "pnm",
        ".jpeg",
        "rgb",
        "~",
        """-rgb -quality 95 -outfile {o} {i}
        -grayscale -progressive -outfile {o} {i}
        -quality 100 -sample 1x1 -baseline -outfile {o} {i}""",
    ),
    (
        "cjpeg",
        "pnm",
        ".jfif",
        "grey",
        "~",
        """-quality 85 -outfile {o} {i}
        -progressive -restart 2 -outfile {o} {i}""",
    ),
    (
        "cwebp",
        "png",
        ".webp",
        "rgb rgba",
        "=",
        """-quiet -lossless -exact {i} -o {o}
        -quiet -lossless -exact -m 6 -q 100 {i} -o {o}
        -quiet -lossless -exact -m 0 -metadata all {i} -o {o}""",
    ),
    (
        "cwebp",
        "png",
        ".webp",
        "rgb rgba",
        "~",
        """-quiet -q 40 {i} -o {o}
        -quiet -q 90 -m 6 -segments 4 -sns 80 {i} -o {o}
        -quiet -near_lossless 40 {i} -o {o}
        -quiet -q 75 -sharp_yuv -alpha_q 50 -alpha_filter best {i} -o {o}
        -quiet -preset text -f 60 {i} -o {o}""",
    ),
    (
        "cjxl",
        "png",
        ".jxl",
        "grey rgb rgba la rgb16 grey16",
        "=",
        """{i} {o} -d 0 -e 3
        {i} {o} -d 0 -e 7 -p
        {i} {o} -d 0 -e 5 --container=1""",
    ),
    (
        "cjxl",
        "png",
        ".jxl",
        "grey rgb",
        "~",
        """{i} {o} -d 1 -e 4
        {i} {o} -d 3 -e 5 -p
        {i} {o} -d 0.5 -e 3 -m 1""",
    ),
    ("heif-enc", "png", ".heic", "rgb", "~", "-L -p chroma=444 --matrix_coefficients=0 {i} -o {o}"),
    (
        "heif-enc",
        "png",
        ".heic",
        "rgb rgba grey",
        "~",
        """-q 80 -p chroma=444 {i} -o {o}
        -q 60 -p chroma=420 {i} -o {o}
        -q 90 -p chroma=422 -t 16 {i} -o {o}""",
    ),
    (
        "heif-enc",
        "png",
        ".avif",
        "rgb rgba",
        "~",
        """-A -q 80 -p chroma=444 -p speed=8 {i} -o {o}
        -A -q 50 -p chroma=420 -p speed=9 {i} -o {o}""",
    ),
    ("avifenc", "png", ".avif", "rgb rgba", "=", "-s 9 -l {i} {o}"),
    (
        "avifenc",
        "png",
        ".avif",
        "rgb",
        "~",
        """-s 9 --min 10 --max 20 -y 444 {i} {o}
        -s 9 --min 20 --max 40 -y 422 {i} {o}
        -s 9 --min 20 --max 30 -y 420 -r limited {i} {o}
        -s 10 --min 10 --max 20 -y 400 {i} {o}
        -s 9 --min 5 --max 10 -y 444 -d 10 {i} {o}
        -s 9 --min 5 --max 10 -y 444 -d 12 {i} {o}
        -s 9 --min 10 --max 20 -y 444 --irot 1 {i} {o}
        -s 9 --min 10 --max 20 -y 444 --imir 1 {i} {o}""",
    ),
    (
        "opj_compress",
        "pnm",
        ".jp2",
        "rgb grey",
        "=",
        """-i {i} -o {o} -n 1
        -i {i} -o {o} -n 3 -p RPCL -SOP -EPH
        -i {i} -o {o} -n 2 -t 16,16
        -i {i} -o {o} -n 1 -b 16,16 -M 1 -mct 0""",
    ),
    (
        "opj_compress",
        "pnm",
        ".j2k",
        "rgb grey grey16",
        "=",
        """-i {i} -o {o} -n 1
        -i {i} -o {o} -n 2 -p CPRL""",
    ),
    ("opj_compress", "pnm", ".jp2", "rgb grey", "~", "-i {i} -o {o} -n 2 -r 4 -I"),
    (
        "gifsicle",
        "gif",
        ".gif",
        "palette",
        "=",
        """--interlace {i} -o {o}
        -O3 {i} -o {o}
        {i} {i} --delay 10 --loop -o {o}""",
    ),
    (
        "tiffcp",
        "tiff",
        ".tif",
        "grey rgb",
        "=",
        """-c lzw:2 {i} {o}
        -c zip:2 -r 3 {i} {o}
        -c packbits -B {i} {o}
        -c none -f lsb2msb {i} {o}
        -c none -8 -t -w 16 -l 32 {i} {o}
        -c zstd {i} {o}
        -c lzma {i} {o}
        -c lzw -B -t -w 32 -l 16 {i} {o}""",
    ),
    (
        "tiffcp",
        "tiff",
        ".tif",
        "rgb",
        "=",
        """-c none -p separate {i} {o}
        -c lzw:2 -p separate -B {i} {o}
        -c zip -p separate -t -w 16 -l 16 {i} {o}
        -c zip:2 -B {i} {o}""",
    ),
    (
        "tiffcp",
        "tiff",
        ".tif",
        "grey1",
        "=",
        """-c g4 {i} {o}
        -c g3:2d:fill {i} {o}
        -c g3:1d -f lsb2msb {i} {o}
        -c packbits -B {i} {o}""",
    ),
)
SAMPLINGS = ("1x1", "2x1", "2x2", "1x2", "4x1", "2x2,1x1,2x1")


def settings() -> Iterator[Setting]:
    """Return the settings of all programs in the table, installed or not."""
    for name, source, suffix, modes, loss, table in PROGRAMS:
        for line in table.splitlines():
            for mode in modes.split():
                samplings = SAMPLINGS if "{s}" in line else ("",)
                for sampling in samplings:
                    yield _setting(
                        name, source, suffix, mode, line.strip().replace("{s}", sampling), loss == "="
                    )


def _setting(name: str, source: str, suffix: str, mode: str, line: str, exact: bool) -> Setting:
    label = f"{mode}: {line.replace('{i}', '').replace('{o}', '').strip()}"
    write = partial(_written, name, source, mode, line, exact)
    opinion, tolerance = None, EXACT if mode.endswith(("grey", "rgb", "palette", "1")) else Tolerance(1, 1)
    if not exact:
        same = name in ("cjpeg", "cwebp") or suffix in (
            ".jp2",
        )  # one library in two builds, or one transform
        opinion, tolerance = opinions.by(LOSSY[suffix[1:].replace("jfif", "jpg")]), CLOSE if same else CHROMA
        if suffix == ".webp" and mode == "rgba":
            opinion = opinions.magick
        if "--i" in line:
            opinion = opinions.by("heif-convert")  # avifdec leaves the picture as it was before it is turned
    return Setting(PICTURE, name, label, suffix, write, opinion, tolerance)


def _written(name: str, source: str, mode: str, line: str, exact: bool, path: Path, rng: Any) -> Any:
    values = samples.picture(rng, mode)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / f"in.{source}"
        _input(source, values, mode, given)
        run([program(name), *(word.format(i=given, o=path) for word in line.split())])
    return samples.eight(values) if exact else None


def _input(source: str, values: Any, mode: str, path: Path) -> None:
    writers: dict[str, Callable[[Any], bytes]] = {"pnm": samples.pnm, "png": samples.png}
    if source in writers:
        path.write_bytes(writers[source](values))
    elif source == "gif":
        path.with_suffix(".png").write_bytes(samples.png(values))
        run([opinions.CONVERT, str(path.with_suffix(".png")), str(path)])
    else:
        import tifffile

        data = values > 127 if mode == "grey1" else values
        tifffile.imwrite(
            path, data, photometric="rgb" if np.ndim(values) == 3 else "minisblack", metadata=None
        )
