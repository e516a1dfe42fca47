"""Which values of deep pictures (over 8 bits, or floats) are black and white: one rule a data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.errors import OptionError

Ranges: TypeAlias = tuple[tuple[str, float, float], ...]
"""(kind, black, white) for each kind of values that a data set holds: uint16, int32, float."""

KINDS = ("uint16", "int32", "float")
BITS = (8, 10, 12, 14, 16)
STANDARD = (1.0, *(2.0**bits - 1 for bits in BITS))
MARGIN = 0.05  # of the range, by which values may lie outside and be clipped: Lanczos' filter overshoots
DARK = 0.1  # floats whose highest value is no less than this are shares, 0 … 1
EXPECTED = "0 to 65535 or 0 to 1"
BLOCK = 1 << 20  # values converted at a time


@dataclass(frozen=True)
class Extremes:
    """The lowest and highest value of one picture."""

    kind: str
    low: float
    high: float


def range_from_options(bits: int, value_range: Iterable[float] = ()) -> Ranges:
    """The ranges of `--bits` (of whole numbers) or `--value-range` (of all kinds); none where neither is.

    Raises OptionError.
    """
    bounds = tuple(value_range)
    if bounds and (len(bounds) != 2 or not bounds[0] < bounds[1]):
        shown = " ".join(f"{bound:g}" for bound in bounds)
        expected = "two numbers, that of black and then that of white"
        raise OptionError("value_range", got=shown, expected=expected, do="correct it")
    if bounds:
        return tuple((kind, float(bounds[0]), float(bounds[1])) for kind in KINDS)
    return tuple((kind, 0.0, 2.0**bits - 1) for kind in KINDS[:2]) if bits else ()


def choose_ranges(found: Iterable[Extremes]) -> Ranges:
    """The range of each kind, from the extremes of a sample of pictures; those far below zero are left out.

    Values of 16 bits have 8, 10, 12, 14 or 16; others what they fill by more than half, within 5 %: 0 … 1,
    0 … 255 and so on, else the highest value, rounded up to two digits.
    """
    highest: dict[str, float] = {}
    for one in found:
        if math.isfinite(one.high) and one.low >= -MARGIN * max(one.high, 0):
            highest[one.kind] = max(highest.get(one.kind, 0.0), one.high)
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
    """Values as 0 … 255, and how many were outside of the range of their kind and were clipped.

    Without a range 16 bits are 0 … 65535, others what one picture fits: 0 … 1, 0 … 255 or 0 … 65535. Raises
    ValueError, with the values, for what fits none, for what is not finite, and for what is below zero by
    more than a margin where the range begins at zero.
    """
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _outside(low, high)
    known: Mapping[str, tuple[float, float]] = {name: (a, b) for name, a, b in ranges}
    black, white = known.get(kind, (0.0, 65535.0) if kind == "uint16" else _fitting(kind, low, high))
    if black == 0 and low < -MARGIN * (white if kind in known else max(high, 0.0)):
        raise _outside(low, high, f"{black:g} to {white:g}" if kind in known else EXPECTED)
    outside = int(((values < black) | (values > white)).sum()) if low < black or high > white else 0
    found, flat = np.empty(values.size, np.uint8), values.reshape(-1)
    for start in range(0, values.size, BLOCK):
        part = flat[start : start + BLOCK].astype(np.float64)
        part = np.clip((part - black) * (255 / (white - black)), 0, 255)
        found[start : start + BLOCK] = (part + 0.5).astype(np.uint8)
    return found.reshape(values.shape), outside


def _fitting(kind: str, low: float, high: float) -> tuple[float, float]:
    whites = (1.0, 255.0, 65535.0) if kind == "float" else (255.0, 65535.0)
    for white in whites:
        if high <= white * (1 + (MARGIN if kind == "float" else 0)):
            return 0.0, white
    raise _outside(low, high)


def _outside(low: float, high: float, expected: str = EXPECTED) -> ValueError:
    return ValueError(
        f"got values from {low:g} to {high:g}, expected {expected}; rescale them, or give --value-range"
    )


def lines(ranges: Ranges, measured: Ranges = ()) -> list[str]:
    """For reading: what is black and white, and where fewer bits than 16 were found."""
    found: list[str] = []
    for kind, black, white in ranges:
        name = {"uint16": "16-bit values", "int32": "32-bit values", "float": "floats"}[kind]
        bits = round(math.log2(white + 1)) if white > 1 else 0
        fewer = kind == "uint16" and (kind, black, white) in measured and bits < 16
        note = f" (they have {bits} bits by a sample; --bits 16 takes all)" if fewer else ""
        found.append(f"{name}: {black:g} is black, {white:g} is white{note}")
    return found
