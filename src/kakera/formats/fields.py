"""Checks for the values of a JSON description. Error messages name the value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from kakera.errors import OptionError

MOST = 2**31 - 1  # the largest count that a description may contain


def whole(name: str, value: object, *, least: int = 1, most: int = MOST) -> int:
    """Return `value` if it is a whole number from `least` to `most`. Raises OptionError otherwise.

    Example:

        >>> whole("depth", 12)
        12
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(name, value, f"a whole number from {least} to {most}")
    return value


def number(name: str, value: object, *, positive: bool = False) -> float:
    """Return `value` as a float if it is a finite number. Raises OptionError otherwise.

    Example:

        >>> number("scale", 255)
        255.0
    """
    # An integer in JSON may be too large for a float, and `float` would raise OverflowError.
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise _wrong(name, value, "a number")
    if math.isnan(value) or (positive and value <= 0):
        raise _wrong(name, value, "a positive number" if positive else "a number")
    return float(value)


def numbers(name: str, value: object, count: int) -> tuple[float, ...]:
    """Return the numbers of a list, or `count` copies of one number. Raises OptionError for another value.

    Example:

        >>> numbers("mean", 0.5, 3)
        (0.5, 0.5, 0.5)
    """
    if isinstance(value, int | float):
        return (number(name, value),) * count
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a number, or a list of numbers")
    return tuple(number(name, each) for each in cast(list[object], value))


def flag(name: str, value: object) -> bool:
    """Return `value` if it is true or false. Raises OptionError otherwise.

    Example:

        >>> flag("multi_label", True)
        True
    """
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def words(name: str, value: object) -> tuple[str, ...]:
    """Return the strings of a list as a tuple. Raises OptionError for another value.

    Example:

        >>> words("classes", ["cat", "dog"])
        ('cat', 'dog')
    """
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list of names")
    items = cast(list[object], value)
    for each in items:
        if not isinstance(each, str):
            raise _wrong(name, each, "a list of names")
    return tuple(cast(list[str], items))


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object (a dictionary). Raises OptionError otherwise.

    Example:

        >>> mapping("inputs", {"channels": 3})
        {'channels': 3}
    """
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a JSON object")
    return cast(Mapping[str, Any], value)


def one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    """Return `value` if it is one of the `known` strings. Raises OptionError otherwise.

    Example:

        >>> one_of("kind", "mae", ("mae", "encoder"))
        'mae'
    """
    if not isinstance(value, str) or value not in known:
        raise _wrong(name, value, f"one of {', '.join(known)}")
    return value


def _wrong(name: str, value: object, expected: str) -> OptionError:
    shown = repr(value)
    got = shown if len(shown) <= 60 else f"{shown[:57]}…"
    return OptionError(name, got=got, expected=expected, do="correct it")
