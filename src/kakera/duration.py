"""Spans of time, as people write and read them."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager

from kakera.errors import OptionError

_started: list[float] = []  # when the command began, until its first training asks
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Of "90s", "30m", "1h30m", "2.5h", "1d". Raises OptionError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not total > 0:
        raise OptionError(
            "budget", got=repr(text), expected="a time above 0", do="write 90s, 30m, 1h30m or 2d"
        )
    return total


@contextmanager
def command() -> Generator[None]:
    """Count from here: a command begins, and what it needs is still to be imported."""
    _started[:] = [time.monotonic()]
    try:
        yield
    finally:
        _started.clear()


def started() -> float:
    """Return when the command began, to its first training alone; to others now. Seconds of `monotonic`."""
    return _started.pop() if _started else time.monotonic()


def words(span: float) -> str:
    """0.4 s, 12 s, 5 min, 3 h 20 min."""
    if span < 9.95:
        return f"{span:.1f} s"
    if span < 99.5:
        return f"{span:.0f} s"
    minutes = round(span / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
