"""Second decoders: programs that kakera does not use itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.valid_files.samples import parsed
from benchmarks.valid_files.setting import program, run
from numpy.typing import NDArray

FFMPEG, FFPROBE = program("ffmpeg"), program("ffprobe")
CONVERT = program("convert-im6.q16", "magick")
WAV_ORDER = ["L", "R", "C", "LFE", "BL", "BR", "BC", "SL", "SR"]
OGG_ORDER = {
    3: "L C R",
    5: "L C R BL BR",
    6: "L C R BL BR LFE",
    7: "L C R SL SR BC LFE",
    8: "L C R SL SR BL BR LFE",
}  # Vorbis I specification, Sec. 4.3.9
DECODERS = {  # program: (its arguments, the suffix it writes)
    "djpeg": ("-pnm -outfile {o} {i}", ".ppm"),
    "dwebp": ("{i} -ppm -o {o}", ".ppm"),
    "djxl": ("{i} {o}", ".ppm"),
    "avifdec": ("{i} {o}", ".png"),
    "heif-convert": ("{i} {o}", ".png"),
    "opj_decompress": ("-i {i} -o {o}", ".ppm"),
    "vips": ("autorot {i} {o}", ".ppm"),
}


def ffmpeg_picture(path: Path) -> NDArray[Any]:
    """Decode the first frame with ffmpeg, with full chroma resolution."""
    flags = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    command = [FFMPEG, "-v", "error", "-i", str(path), "-frames:v", "1", "-sws_flags", flags]
    return parsed(run([*command, "-pix_fmt", "rgb24", "-f", "image2pipe", "-c:v", "ppm", "-"]))


def magick(path: Path) -> NDArray[Any]:
    """Decode a picture with ImageMagick, upright and on white."""
    options = "-auto-orient -background white -alpha remove -alpha off -colorspace sRGB -depth 8"
    return parsed(run([CONVERT, f"{path}[0]", *options.split(), "ppm:-"]))


def by(name: str) -> Callable[[Path], NDArray[Any]]:
    """Return the decoder `name`, a program that writes a file."""
    return partial(_decoded, name)


def _decoded(name: str, path: Path) -> NDArray[Any]:
    arguments, suffix = DECODERS[name]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"out{suffix}"
        run([program(name), *(word.format(i=path, o=out) for word in arguments.split())])
        return parsed(out.read_bytes()) if suffix == ".ppm" else magick(out)


def ffmpeg_sound(path: Path) -> tuple[int, NDArray[np.float32]]:
    """Decode a recording with ffmpeg: (rate, (samples, channels))."""
    entries = ["-select_streams", "a:0", "-show_entries", "stream=sample_rate,channels", "-of", "csv=p=0"]
    rate, channels = run([FFPROBE, "-v", "error", *entries, str(path)]).split()[0].decode().split(",")[:2]
    raw = run(
        [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    )
    return int(rate), np.frombuffer(raw, np.float32).reshape(-1, int(channels))


def sox_sound(path: Path) -> tuple[int, NDArray[np.float32]]:
    """Decode a recording with SoX, which has its own ADPCM and GSM."""
    rate, channels = (int(run([program("soxi"), flag, str(path)])) for flag in ("-r", "-c"))
    raw = run([program("sox"), "-D", str(path), "-t", "f32", "-"])
    return rate, np.frombuffer(raw, np.float32).reshape(-1, channels)


def opusdec_at(path: Path) -> tuple[int, NDArray[Any]]:
    """Decode with the Opus reference decoder, resampled to the rate in the header if Opus supports it."""
    import soxr

    named = int.from_bytes(path.read_bytes()[40:44], "little")
    rate = named if named in (8000, 12000, 16000, 24000) else 48000
    values = opusdec(path)[1]
    return rate, values if rate == 48000 else soxr.resample(values, 48000, rate, quality="VHQ")


def opusdec(path: Path) -> tuple[int, NDArray[np.float32]]:
    """Decode with the Opus reference decoder at 48 kHz; the channels are in the order of WAV."""
    channels = path.read_bytes()[37]  # in the identification header, after a page of 28 bytes
    raw = run([program("opusdec"), "--quiet", "--rate", "48000", "--float", "--no-dither", str(path), "-"])
    data = raw.index(b"data") + 8 if raw.startswith(b"RIFF") else 0
    names = OGG_ORDER.get(channels, "").split()
    order = (
        sorted(range(channels), key=lambda number: WAV_ORDER.index(names[number]))
        if names
        else range(channels)
    )
    return 48000, np.frombuffer(raw[data:], np.float32).reshape(-1, channels)[:, list(order)]
