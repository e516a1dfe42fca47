"""The comparison of one file, read as in training, with its expected values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.valid_files.known import reason
from benchmarks.valid_files.setting import PICTURE, Length, Setting, UnwrittenError
from numpy.typing import NDArray

from kakera.data.audio import decode
from kakera.data.holders import FilePictures
from kakera.data.images.decode import header
from kakera.errors import KakeraError

RANGES = (
    ("uint16", 0.0, 65535.0),
    ("int32", 0.0, 65535.0),
    ("float", 0.0, 1.0),
)  # as kakera measures them for a data set


FEW = 256  # values: with fewer, the mean is not compared


@dataclass(frozen=True)
class Mismatch:
    """A file whose values differ, the difference, and the reason if it is known."""

    file: str
    encoder: str
    setting: str
    difference: str
    reason: str = ""


def compared(setting: Setting, path: Path, rng: np.random.Generator) -> Mismatch | None:
    """Write, read and compare one file; return None if all values agree.

    Raises UnwrittenError if the encoder or the second decoder refuses the setting.
    """
    expected = setting.write(path, rng)
    if expected is None or isinstance(expected, Length):
        assert setting.opinion is not None, setting
        expected, length = setting.opinion(path), expected
        if isinstance(length, Length) and length.rate in (0, expected[0]):
            expected = (expected[0], cut(expected[1], length.samples))
    try:
        difference, most = (_picture if setting.kind == PICTURE else _recording)(path, expected, setting)
    except KakeraError as error:
        difference, most = f"refused: {str(error).replace(str(path), path.name)}", 0.0
    if not difference:
        return None
    why = reason(str(setting), difference, most)
    return Mismatch(path.name, setting.encoder, setting.name, difference, why)


def _picture(path: Path, expected: NDArray[Any], setting: Setting) -> tuple[str, float]:
    height, width, channels = header(path)
    found = FilePictures([path], channels, RANGES).read(0)
    if found.shape != (height, width, channels):
        return f"the header has {height} x {width} x {channels}, the values have {found.shape}", 0.0
    if found.shape[:2] != expected.shape[:2]:
        return f"got {found.shape[:2]}, expected {expected.shape[:2]}", 0.0
    if channels == 1 and expected.ndim == 3 and (expected != expected[..., :1]).any():
        return "read as grey, expected colour", 0.0
    beside = (expected if expected.ndim == 3 else expected[..., None]).astype(float)
    return _far(found.astype(float), beside, setting)


def _recording(path: Path, expected: tuple[int, NDArray[Any]], setting: Setting) -> tuple[str, float]:
    rate, values = expected
    found = decode.header(path)
    if (found.rate, found.channels, found.samples) != (rate, values.shape[1], len(values)):
        got = f"{found.samples} samples of {found.channels} channels at {found.rate} Hz"
        return f"got {got}, expected {len(values)} of {values.shape[1]} at {rate} Hz", 0.0
    every = np.stack([decode.read(path, rate, channel=number) for number in range(found.channels)], -1)
    far, most = _far(every.astype(float), values.astype(float), setting)
    if far:
        return f"{far} at {rate} Hz", most
    start, count = len(values) // 3, len(values) // 2
    piece = decode.read(path, rate, start=start, count=count)
    mean = every.mean(axis=1)[start : start + count]
    apart = float(np.abs(piece - mean).max()) if len(mean) else 0.0
    return (f"a piece differs from the whole by {apart:.2g}", apart) if apart > 1e-6 else ("", 0.0)


def cut(values: NDArray[Any], length: int) -> NDArray[Any]:
    """Return the first `length` samples; missing samples of the second decoder are NaN."""
    found = np.full((length, values.shape[1]), np.nan, np.float32)
    found[: len(values)] = values[:length]
    return found


def _far(found: NDArray[Any], expected: NDArray[Any], setting: Setting) -> tuple[str, float]:
    apart = np.abs(found - expected)
    apart = apart[np.isfinite(apart)]
    if not apart.size:
        return "", 0.0
    most, mean = float(apart.max()), float(apart.mean())
    allowed = setting.tolerance
    if most <= allowed.most and (mean <= allowed.mean or apart.size < FEW):
        return "", most
    return (
        f"{most:.3g} at most, {mean:.2g} in the mean; expected {allowed.most:.3g} and {allowed.mean:.2g}",
        most,
    )


__all__ = ["Mismatch", "UnwrittenError", "compared"]
