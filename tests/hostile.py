"""Damaged files by the thousand: `python -m tests.hostile --count 2000` reads them and says what came of it.

File number n of a seed is always the same. Each is read in a process that may take 1 GB more than it has
and 5 seconds of computing: a file is read, or refused in one line that names it. All else is a failure.
"""

import argparse
import collections
import importlib.util
import io
import itertools
import json
import math
import os
import random
import re
import resource
import select
import signal
import sys
import tarfile
import tempfile
import traceback
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from kakera.data.audio import decode
from kakera.data.images import decode as images
from kakera.data.images.tiff import read_header
from kakera.data.sources.open import open_dataset
from kakera.errors import KakeraError
from kakera.formats.foreign import mae
from kakera.formats.load import load
from kakera.formats.native import WEIGHTS, save_model
from kakera.training.options import PretrainOptions
from kakera.training.recipes import options_from
from tests.data.images.test_mended import pcx, sgi
from tests.data.odd_recordings import encoded, mp3, sound, unannounced, unended, without_length
from tests.web.runs import autoencoder

SECONDS, WALL, MEMORY = 5, 120, 1 << 30
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass(frozen=True)
class Kind:
    """Whole files of one kind, the name to give, what reads it, and how files are damaged."""

    wholes: list[bytes]
    name: str
    reader: Callable[[Path], Any]
    mutate: Callable[[bytes, random.Random], bytes]


Kinds = Callable[[Path], dict[str, Kind]]


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Cut, filled, swapped and turned in one to four places, most of them near the beginning."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        size = max(1, len(found))
        near = int(size * draw.random() ** draw.choice((1, 4)))  # headers are where the damage is interesting
        length = min(size - near, int(2 ** draw.uniform(0, math.log2(size) + 0.1)))
        kind = draw.randrange(7)
        if kind == 0:
            found[near : near + 1] = bytes([found[near] ^ (1 << draw.randrange(8))]) if found else b"\0"
        elif kind == 1:
            del found[near:]
        elif kind == 2:
            del found[near : near + length]
        elif kind == 3:
            found[near:near] = draw.randbytes(min(length, 1000))
        elif kind == 4:
            edge, width = draw.choice(EDGES), draw.choice((1, 2, 4))
            order = draw.choice(("little", "big"))
            found[near : near + width] = (edge % (1 << 8 * width)).to_bytes(width, order)
        elif kind == 5:
            found[near : near + length] = bytes(length)
        else:
            found[near:near] = found[near : near + length]
    return bytes(found)


def pictures(kind: str) -> list[bytes]:
    values = np.random.default_rng(0).integers(0, 256, (24, 31, 3), dtype=np.uint8)
    modes: list[dict[str, Any]] = [{}, {"progressive": True}] if kind == "JPEG" else [{}, {"optimize": True}]
    found: list[bytes] = []
    for image in (
        Image.fromarray(values),
        Image.fromarray(values[..., 0]),
        Image.fromarray(values).quantize(),
    ):
        for mode in modes:
            file = io.BytesIO()
            (image.convert("RGB") if kind == "JPEG" and image.mode == "P" else image).save(file, kind, **mode)
            found.append(file.getvalue())
    return found


def deep_pictures() -> list[bytes]:
    """TIFF of 16 bits (also with zero for white), 32 bits and floats, with and without compression."""
    values = np.random.default_rng(0).integers(0, 65536, (24, 31)).astype(np.uint16)
    found: list[bytes] = []
    for array in (values, values.astype(np.int32), (values / 65535).astype(np.float32)):
        for compression in (None, "tiff_lzw"):
            file = io.BytesIO()
            Image.fromarray(array).save(file, "TIFF", compression=compression)
            found.append(file.getvalue())
    for content in found[:2]:
        header = read_header(content)
        assert header is not None
        changed = bytearray(content)
        changed[header.place : header.place + 2] = bytes(2)
        found.append(bytes(changed))
    return found


def other_pictures() -> list[bytes]:
    """One of each kind that Pillow reads besides."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    found: list[bytes] = []
    for kind in ("AVIF", "JPEG2000", "PPM", "TGA", "QOI", "PCX", "SGI", "ICO", "WEBP", "GIF"):
        file = io.BytesIO()
        image.save(file, kind)
        found.append(file.getvalue())
    return found


def odd_pictures() -> list[bytes]:
    """Of kinds whose bytes are changed before Pillow reads them, and TIFF of many channels."""
    values = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    found = [pcx(values), sgi(values, b""), sgi(values, b"\0")]
    if importlib.util.find_spec("tifffile") is None:
        return found
    import tifffile

    for layout, kind in itertools.product(("contig", "separate"), (np.uint8, np.uint16, np.float32)):
        shape = (12, 14, 5) if layout == "contig" else (5, 12, 14)
        file = io.BytesIO()
        planes = np.random.default_rng(0).integers(0, 200, shape).astype(kind)
        tifffile.imwrite(file, planes, photometric="minisblack", planarconfig=layout, compression="zlib")
        found.append(file.getvalue())
    return found


def recordings() -> list[bytes]:
    found: list[bytes] = []
    for channels, width, rate in ((1, 2, 16000), (2, 2, 44100), (1, 1, 8000), (2, 3, 48000)):
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setparams((channels, width, rate, 0, "NONE", ""))
            sound.writeframes(np.random.default_rng(0).bytes(600 * channels * width))
        found.append(file.getvalue())
    return found


def coded_recordings() -> list[bytes]:
    """MPEG audio with its length and without, FLAC with and without, one stream of Ogg and two."""
    flac = encoded("flac", sound(16_000, 0.2), 16_000)
    vorbis = encoded("ogg", sound(16_000, 0.5), 16_000)
    opus = encoded("opus", sound(16_000, 0.5), 16_000)
    found = [mp3(22_050, 0.5), unannounced(mp3(22_050, 0.5)), flac, without_length(flac)]
    return [*found, vorbis, vorbis * 2, unended(vorbis), opus, opus * 2]


def tables() -> list[bytes]:
    rows = "".join(
        f"a{i}.png,{'left|right' if i % 3 else 'left'},{'test' if i % 4 else 'train'}\n" for i in range(9)
    )
    plain = "".join(f"a{i}.png,{i % 2}\n" for i in range(9))
    return [f"file,label,split\n{rows}".encode(), f"file,label\n{plain}".encode()]


def recipes() -> list[bytes]:
    folder = Path(sys.modules["kakera"].__file__ or "").parent / "recipes"
    return [path.read_bytes() for path in sorted(folder.glob("pretrain-*.toml"))]


def shards() -> list[bytes]:
    """A tar file as webdataset's are: a few pictures and their classes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number, picture in enumerate(pictures("PNG")):
            for name, content in (
                (f"{number:03d}.png", picture),
                (f"{number:03d}.cls", b"%d" % (number % 2)),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return [file.getvalue()]


def weights(root: Path) -> tuple[list[bytes], list[bytes]]:
    """Of one small model: its safetensors file, whose description is beside it, and a `.pth`."""
    saved = autoencoder()
    save_model(root, saved)
    return [(root / WEIGHTS).read_bytes()], [mae.write(saved)]


def read_picture(path: Path) -> None:
    channels = images.header(path)[2]
    images.decode(path, channels if channels > 3 else 3)


def read_recording(path: Path) -> None:
    decode.header(path)
    decode.read(path, 16000)


def read_shard(path: Path) -> None:
    for index in path.parent.glob("*.npz"):  # of the file that had this name before
        index.unlink()
    shard = open_dataset(path)
    for number in range(len(shard)):
        shard.pictures.read(number)


def read_recipe(path: Path) -> None:
    options_from(PretrainOptions, str(path), {"data": "x"})


def files(root: Path) -> dict[str, Kind]:
    """All kinds, damaged byte by byte."""
    for number in range(9):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(root / f"a{number}.png")
    safetensors, pth = weights(root)
    found: dict[str, tuple[list[bytes], str, Callable[[Path], Any]]] = {
        "jpeg": (pictures("JPEG"), "x.jpg", read_picture),
        "png": (pictures("PNG"), "x.png", read_picture),
        "tiff": (deep_pictures(), "x.tif", read_picture),
        "odd pictures": (odd_pictures(), "x.img", read_picture),
        "other pictures": (other_pictures(), "x.jp2", read_picture),
        "wav": (recordings(), "x.wav", read_recording),
        "coded recordings": (coded_recordings(), "x.mp3", read_recording),
        "csv": (tables(), "x.csv", open_dataset),
        "tar": (shards(), "x.tar", read_shard),
        "toml": (recipes(), "x.toml", read_recipe),
        "safetensors": (safetensors, WEIGHTS, lambda path: load(path.parent)),
        "pth": (pth, "x.pth", load),
    }
    return {name: Kind(*kind, mutated) for name, kind in found.items()}


def read(root: Path, number: int, seed: int, kinds: dict[str, Kind]) -> tuple[str, str]:
    """Make file `number` and read it: its kind, and "read", "refused" or what went wrong."""
    draw = random.Random(f"{seed}/{number}")
    kind = list(kinds)[number % len(kinds)]
    chosen = kinds[kind]
    path = root / chosen.name
    path.write_bytes(chosen.mutate(draw.choice(chosen.wholes), draw))
    try:
        chosen.reader(path)
    except KakeraError as error:
        text = str(error)
        named = path.name in text or str(root) in text
        if re.search(r"memory|allocat", text, re.IGNORECASE):
            return kind, f"memory: {text}"
        return kind, "refused" if named and "\n" not in text and len(text) > len(
            str(path)
        ) + 5 else f"unclear: {text!r}"
    except BaseException:
        return kind, "crash: " + traceback.format_exc()
    return kind, "read"


def work(root: Path, numbers: range, seed: int, pipe: int, make: Kinds) -> None:
    """In a process of its own: read the files, telling before and after each."""
    torch.set_num_threads(1)
    kinds = make(root)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    for number in numbers:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        os.write(pipe, f"{number}\n".encode())
        kind, outcome = read(root, number, seed, kinds)
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.write(pipe, json.dumps([number, kind, outcome[-800:]]).encode() + b"\n")
    os._exit(0)


def lines(pipe: int) -> Iterator[str]:
    """What the process tells; ends with it, or with an empty line where it is silent for too long."""
    rest = b""
    while True:
        if not select.select([pipe], [], [], WALL)[0]:
            yield ""
            return
        more = os.read(pipe, 1 << 16)
        if not more:
            return
        *whole, rest = (rest + more).split(b"\n")
        yield from (line.decode() for line in whole)


def survey(
    count: int, seed: int, first: int = 0, make: Kinds = files
) -> tuple[dict[str, collections.Counter[str]], list[str]]:
    """How many of each kind were read and refused, and all that went wrong."""
    found: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    failures: list[str] = []
    end = first + count
    while first < end:
        with tempfile.TemporaryDirectory() as root:
            there, here = os.pipe()
            process = os.fork()
            if not process:
                os.close(there)
                try:
                    work(Path(root), range(first, end), seed, here, make)
                finally:
                    traceback.print_exc()
                    os._exit(1)
            os.close(here)
            last = first
            for line in lines(there):
                if line.startswith("["):
                    number, kind, outcome = json.loads(line)
                    found[kind][outcome.split(":")[0]] += 1
                    failures += (
                        [f"{number} ({kind}): {outcome}"] if outcome not in ("read", "refused") else []
                    )
                    first = number + 1
                elif line:
                    last = int(line)
                else:
                    os.kill(process, signal.SIGKILL)
            os.close(there)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if code:
                failures.append(f"{last}: the process ended with {code} (−27: over {SECONDS} s of computing)")
                first = last + 1
    return found, failures


def main(make: Kinds = files, description: str | None = __doc__) -> int:
    """Read as many as the command says, and print what came of it; whether something went wrong."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    found, failures = survey(given.count, given.seed, given.first, make)
    for kind, counts in sorted(found.items()):
        print(f"{kind:24} {dict(sorted(counts.items()))}")
    for failure in failures:
        print(failure)
    print(f"{sum(sum(c.values()) for c in found.values())} files, {len(failures)} failures")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
