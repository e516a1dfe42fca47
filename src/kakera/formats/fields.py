"""Values of a description in JSON: each is checked to be of its kind. Errors name the value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from kakera.errors import OptionError

MOST = 2**31 - 1  # of whole numbers that count something


def whole(name: str, value: object, *, least: int = 1, most: int = MOST) -> int:
    """Return a whole number from `least` to `most`. Raises OptionError."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(name, value, f"a whole number from {least} to {most}")
    return value


def number(name: str, value: object, *, positive: bool = False) -> float:
    """Return a finite number. Raises OptionError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise _wrong(name, value, "a number")
    if math.isnan(value) or (positive and value <= 0):
        raise _wrong(name, value, "a positive number" if positive else "a number")
    return float(value)


def numbers(name: str, value: object, count: int) -> tuple[float, ...]:
    """Return `count` numbers, from a list or from the one number that all are. Raises OptionError."""
    if isinstance(value, int | float):
        return (number(name, value),) * count
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a number, or a list of numbers")
    return tuple(number(name, each) for each in cast(list[object], value))


def flag(name: str, value: object) -> bool:
    """Return true or false. Raises OptionError."""
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def words(name: str, value: object) -> tuple[str, ...]:
    """Return the texts of a list. Raises OptionError."""
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list of names")
    found = cast(list[object], value)
    for each in found:
        if not isinstance(each, str):
            raise _wrong(name, each, "a list of names")
    return tuple(cast(list[str], found))


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """Return a JSON object. Raises OptionError."""
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a JSON object")
    return cast(Mapping[str, Any], value)


def one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    """Return one of the known words. Raises OptionError."""
    if not isinstance(value, str) or value not in known:
        raise _wrong(name, value, f"one of {', '.join(known)}")
    return value


def _wrong(name: str, value: object, expected: str) -> OptionError:
    shown = repr(value)
    got = shown if len(shown) <= 60 else f"{shown[:57]}…"
    return OptionError(name, got=got, expected=expected, do="correct it")
