"""Durations as text, such as "1h30m" for input and "3 h 20 min" for output."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager

from kakera.errors import OptionError

_started: list[float] = []  # the start time of the command, until its first training reads it
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str, name: str = "time") -> float:
    """Convert a duration such as "90s", "30m", "1h30m", "2.5h" or "1d" to seconds.

    `name` is the name of the option in the message. Raises OptionError if `text` has another form or is not
    above 0.

    Example:

        >>> seconds("1h30m")
        5400.0
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not total > 0:
        raise OptionError(
            name, got=repr(text), expected="a duration above 0", do="write 90s, 30m, 1h30m or 2d"
        )
    return total


@contextmanager
def command() -> Generator[None]:
    """Store the current time as the start of a command, for `started`.

    Use it before the imports, so that a time budget includes them.

    Example:

        >>> with command():
        ...     begin = started()
        >>> begin <= time.monotonic()
        True
    """
    _started[:] = [time.monotonic()]
    try:
        yield
    finally:
        _started.clear()


def started() -> float:
    """Return the start time in seconds of `time.monotonic`.

    The first call inside `command` returns the start of the command. Every other call returns the current
    time, because only the first training of a command includes the imports. See `command`.
    """
    return _started.pop() if _started else time.monotonic()


def words(span: float) -> str:
    """Convert seconds to text, such as "0.4 s", "12 s", "5 min" or "3 h 20 min".

    Example:

        >>> words(0.4), words(300), words(12_000)
        ('0.4 s', '5 min', '3 h 20 min')
    """
    if span < 9.95:
        return f"{span:.1f} s"
    if span < 99.5:
        return f"{span:.0f} s"
    minutes = round(span / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
