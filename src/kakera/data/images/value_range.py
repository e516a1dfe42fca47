"""Black and white of deep pictures (more than 8 bits, or floats): one range for a whole data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.errors import OptionError

Ranges: TypeAlias = tuple[tuple[str, float, float], ...]
"""(kind, black, white) for each kind of values in a data set: "uint16", "int32", "float"."""

KINDS = ("uint16", "int32", "float")
BITS = (8, 10, 12, 14, 16)
STANDARD = (1.0, *(2.0**bits - 1 for bits in BITS))
MARGIN = 0.05  # share of the range: values this far outside are clipped, because Lanczos filters overshoot
DARK = 0.1  # floats with a highest value of at least this have the range 0 … 1
EXPECTED = "0 to 65535 or 0 to 1"
BLOCK = 1 << 20  # values converted at a time, to save memory


@dataclass(frozen=True)
class Extremes:
    """The lowest and highest value of one picture. See `decode.extremes`."""

    kind: str
    low: float
    high: float


def range_from_options(bits: int, value_range: Iterable[float] = ()) -> Ranges:
    """Return the ranges of the options `--bits` and `--value-range`.

    `bits` defines 0 … 2^bits − 1 for whole numbers; 0 means not set. `value_range` (black, white) applies to
    all kinds of values. Without either option the result is empty. Raises OptionError if `value_range` is
    not two rising numbers.

    Example:

        >>> range_from_options(12)
        (('uint16', 0.0, 4095.0), ('int32', 0.0, 4095.0))
    """
    bounds = tuple(value_range)
    if bounds and (len(bounds) != 2 or not bounds[0] < bounds[1]):
        shown = " ".join(f"{bound:g}" for bound in bounds)
        expected = "two numbers: the value of black, then the value of white"
        raise OptionError("value_range", got=shown, expected=expected, do="correct it")
    if bounds:
        return tuple((kind, float(bounds[0]), float(bounds[1])) for kind in KINDS)
    return tuple((kind, 0.0, 2.0**bits - 1) for kind in KINDS[:2]) if bits else ()


def choose_ranges(found: Iterable[Extremes]) -> Ranges:
    """Choose the range of each kind of values from the extremes of a sample of pictures.

    Pictures with values far below zero are ignored. uint16 values get the smallest range of 8, 10, 12, 14 or
    16 bits that contains them. Other values get a common range (0 … 1, 0 … 255 and so on) if they fill more
    than half of it, with a tolerance of 5 %. Otherwise white is the highest value, rounded up to two digits.

    Example:

        >>> choose_ranges([Extremes("uint16", 3, 900), Extremes("uint16", 0, 4000)])
        (('uint16', 0.0, 4095.0),)
    """
    highest: dict[str, float] = {}
    for picture in found:
        if math.isfinite(picture.high) and picture.low >= -MARGIN * max(picture.high, 0):
            highest[picture.kind] = max(highest.get(picture.kind, 0.0), picture.high)
    return tuple((kind, 0.0, _white(kind, highest[kind])) for kind in KINDS if kind in highest)


def _white(kind: str, high: float) -> float:
    if kind == "uint16":
        return next(2.0**bits - 1 for bits in BITS if high < 2**bits)
    if high <= 0:
        return 1.0
    if kind == "float" and DARK <= high <= 1 + MARGIN:
        return 1.0
    common = STANDARD if kind == "int32" else (1.0, 255.0, 65535.0)
    fitting = (white for white in common if white / 2 < high <= white * (1 + MARGIN))
    digit = 10.0 ** (math.floor(math.log10(high)) - 1)
    return next(fitting, float(f"{math.ceil(high / digit - 1e-9) * digit:.12g}"))


def eight_bits(values: NDArray[Any], kind: str, ranges: Ranges) -> tuple[NDArray[np.uint8], int]:
    """Convert deep values to 8 bits; return them as uint8 and the number of clipped values.

    `kind` is "uint16", "int32" or "float". Without a range of this kind in `ranges`, uint16 values have the
    range 0 … 65535, and others the first that contains this picture: 0 … 1 (floats only), 0 … 255 or
    0 … 65535. Raises ValueError if the values fit none of these, if they are not finite, or if they are more
    than 5 % below zero in a range that starts at zero.

    Example:

        >>> eight_bits(np.array([[0, 4095, 5000]], np.uint16), "uint16", (("uint16", 0.0, 4095.0),))
        (array([[  0, 255, 255]], dtype=uint8), 1)
    """
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _outside(low, high)
    known: Mapping[str, tuple[float, float]] = {name: (a, b) for name, a, b in ranges}
    black, white = known.get(kind, (0.0, 65535.0) if kind == "uint16" else _fitting(kind, low, high))
    if black == 0 and low < -MARGIN * (white if kind in known else max(high, 0.0)):
        raise _outside(low, high, f"{black:g} to {white:g}" if kind in known else EXPECTED)
    outside = int(((values < black) | (values > white)).sum()) if low < black or high > white else 0
    result, flat = np.empty(values.size, np.uint8), values.reshape(-1)
    for start in range(0, values.size, BLOCK):
        part = flat[start : start + BLOCK].astype(np.float64)
        part = np.clip((part - black) * (255 / (white - black)), 0, 255)
        result[start : start + BLOCK] = (part + 0.5).astype(np.uint8)
    return result.reshape(values.shape), outside


def _fitting(kind: str, low: float, high: float) -> tuple[float, float]:
    whites = (1.0, 255.0, 65535.0) if kind == "float" else (255.0, 65535.0)
    for white in whites:
        if high <= white * (1 + (MARGIN if kind == "float" else 0)):
            return 0.0, white
    raise _outside(low, high)


def _outside(low: float, high: float, expected: str = EXPECTED) -> ValueError:
    return ValueError(
        f"got values from {low:g} to {high:g}, expected {expected}; rescale them, or pass --value-range"
    )


def lines(ranges: Ranges, measured: Ranges = ()) -> list[str]:
    """Return one line for each range: its black and white, and a note if a sample has fewer than 16 bits.

    `measured` are the ranges that were measured from a sample of pictures.

    Example:

        >>> lines((("float", 0.0, 1.0),))
        ['floats: 0 is black, 1 is white']
    """
    texts: list[str] = []
    for kind, black, white in ranges:
        name = {"uint16": "16-bit values", "int32": "32-bit values", "float": "floats"}[kind]
        bits = round(math.log2(white + 1)) if white > 1 else 0
        fewer = kind == "uint16" and (kind, black, white) in measured and bits < 16
        note = f" (a sample has {bits} bits; use --bits 16 for the full range)" if fewer else ""
        texts.append(f"{name}: {black:g} is black, {white:g} is white{note}")
    return texts
