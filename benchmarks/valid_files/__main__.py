"""Write and read thousands of valid files: `python -m benchmarks.valid_files --count 2000`.

The encoders and their settings take turns, so a small number of files already covers each of them. File
number n of a seed is always the same. The exit code is 1 if a value differs, or a file is refused, without
a known reason.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import importlib.util
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.valid_files import (
    ffmpeg_pictures,
    opinions,
    picture_libraries,
    picture_programs,
    picture_tools,
    recordings,
)
from benchmarks.valid_files.comparison import Mismatch, compared
from benchmarks.valid_files.setting import Setting, UnwrittenError, program

TOOLS = {
    "ImageMagick": ("convert-im6.q16", "magick"),
    "libvips": ("vips",),
    "netpbm": ("pnmtopng",),
    "ffmpeg": ("ffmpeg",),
}
LIBRARIES = {"Pillow": "PIL", "OpenCV": "cv2", "tifffile": "tifffile", "libsndfile": "soundfile"}


def settings(only: Iterable[str] = ()) -> tuple[list[Setting], list[str]]:
    """Return the settings of the installed encoders, in turns, and the encoders that are not installed."""
    modules = (picture_libraries, picture_programs, picture_tools, ffmpeg_pictures, recordings)
    groups: dict[str, list[Setting]] = {}
    for one in itertools.chain.from_iterable(module.settings() for module in modules):
        groups.setdefault(one.encoder, []).append(one)
    chosen = set(only) or set(groups)
    absent = sorted(name for name in groups if not _installed(name))
    return list(_in_turns([g for name, g in groups.items() if name not in absent and name in chosen])), absent


def _in_turns(groups: list[list[Setting]]) -> Iterator[Setting]:
    """Spread each group evenly over the whole list."""
    places = [
        ((number + 0.5) / len(group), setting) for group in groups for number, setting in enumerate(group)
    ]
    return (setting for _, setting in sorted(places, key=lambda place: place[0]))


def _installed(encoder: str) -> bool:
    if encoder in LIBRARIES:
        return importlib.util.find_spec(LIBRARIES[encoder]) is not None
    if encoder == "bytes":
        return bool(program("cjpeg") and program("djpeg") and opinions.CONVERT)
    return bool(program(*TOOLS.get(encoder, (encoder,))))


def tried(chosen: list[Setting], count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Write and compare `count` files in `folder`, and return the statistics and the differences."""
    found: list[Mismatch] = []
    refused: collections.Counter[str] = collections.Counter()
    encoders: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    begin = time.monotonic()
    for number in range(count):
        setting = chosen[number * len(chosen) // count if count < len(chosen) else number % len(chosen)]
        path = folder / f"{number:05d}{setting.suffix}"
        try:
            mismatch = compared(setting, path, np.random.default_rng([seed, number]))
        except UnwrittenError as error:
            refused[f"{setting}: {error}"] += 1
            path.unlink(missing_ok=True)
            continue
        encoders[setting.encoder] += 1
        kinds[setting.suffix] += 1
        if mismatch is not None:
            found.append(mismatch)
    return {
        "files": sum(encoders.values()),
        "settings": len(chosen),
        "seconds": round(time.monotonic() - begin, 1),
        "encoders": dict(sorted(encoders.items())),
        "suffixes": dict(sorted(kinds.items())),
        "mismatches": [dataclasses.asdict(one) for one in found],
        "unwritten": dict(refused),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write, read and compare files; print the differences."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.valid_files", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="number of files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the contents")
    parser.add_argument("--only", nargs="*", default=(), help="names of the encoders to use")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result as JSON into a file")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the files in this folder")
    options = parser.parse_args(arguments)
    chosen, absent = settings(options.only)
    if not chosen:
        print(
            f"valid_files: got no encoder, expected at least one; install one of {', '.join(absent)}",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        result = {**tried(chosen, options.count, options.seed, folder), "left_out": absent}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1) if options.json else text(result))
    return int(any(not one["reason"] for one in result["mismatches"]))


def text(result: dict[str, Any]) -> str:
    """Return the result as text."""
    lines = [
        f"{one['file']}  {one['encoder']}  {one['setting']}: {one['difference']}"
        + (f"  (known: {one['reason']})" if one["reason"] else "")
        for one in result["mismatches"]
    ]
    encoders = ", ".join(f"{name} {count}" for name, count in result["encoders"].items())
    unknown = sum(not one["reason"] for one in result["mismatches"])
    known = len(result["mismatches"]) - unknown
    lines += [
        f"not installed: {', '.join(result['left_out']) or 'none'}",
        f"not written, since the encoder refused the setting: {sum(result['unwritten'].values())} files",
        f"{result['files']} files in {result['settings']} settings by {encoders}",
        f"{unknown} files differ without a known reason, {known} with one; {result['seconds']:g} s",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
