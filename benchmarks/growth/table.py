"""The table of results: seconds at each size, and their growth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

LEAST = 0.05  # seconds: shorter times depend on other work of the machine
Measures = Mapping[str, Any]


def exponent(seconds: Mapping[int, float]) -> float | None:
    """Return the least-squares slope of log time over log size; None below two times above LEAST."""
    long = [(size, time) for size, time in seconds.items() if time > LEAST]
    if len(long) < 2:
        return None
    sizes, times = np.log(np.array(long)).T
    away = sizes - sizes.mean()
    return float(away @ times / (away @ away))


def table(over: str, beside: str, rows: Mapping[str, Mapping[int, Measures]]) -> str:
    """Return a heading and a row for each stage, over the number of files or classes."""
    sizes = sorted({size for row in rows.values() for size in row})
    heading = (
        f"over {over}, {beside}\n"
        f"seconds at each size; exponent: the least-squares slope of log seconds over log {over}, "
        f"for times above {1000 * LEAST:.0f} ms (- for fewer than two);\n"
        f"at the largest number of {over}: CPU seconds, peak memory beyond the imports, "
        "bytes per file of the result"
    )
    cells = [("", *map(power, sizes), "exponent", "CPU s", "peak MB", "bytes per file")]
    cells += [(name, *_row(row, sizes)) for name, row in rows.items()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join([heading, *("  ".join(_aligned(row, widths)).rstrip() for row in cells)])


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(w) if n else cell.ljust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
    ]


def _row(row: Mapping[int, Measures], sizes: list[int]) -> tuple[str, ...]:
    done = {size: found for size, found in row.items() if "failed" not in found}
    slope = exponent({size: found["seconds"] for size, found in done.items()})
    shown = ["" if size not in row else _seconds(row[size]) for size in sizes]
    last = done[max(done)] if done else None
    if last is None:
        return *shown, "-", "", "", ""
    kept = last["bytes a file"]
    return (
        *shown,
        "-" if slope is None else f"{slope:.2f}",
        _number(last["processor seconds"]),
        f"{last['peak'] / 2**20:.0f}",
        "" if kept is None else f"{kept:.0f}",
    )


def _seconds(found: Measures) -> str:
    return "failed" if "failed" in found else _number(found["seconds"])


def _number(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 10 else f"{seconds:.1f}"


def power(size: int) -> str:
    """Return a power of ten as text such as 10^3, other numbers in digits."""
    digits = round(math.log10(size))
    return f"10^{digits}" if size == 10**digits else str(size)
