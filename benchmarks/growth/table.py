"""What was measured, as a table: seconds at each size, and how they grow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

LEAST = 0.05  # seconds: below, time is that of whatever else happens
Measures = Mapping[str, Any]


def exponent(seconds: Mapping[int, float]) -> float | None:
    """The least-squares slope of log time over log size, of times above LEAST; None of fewer than two."""
    long = [(size, time) for size, time in seconds.items() if time > LEAST]
    if len(long) < 2:
        return None
    sizes, times = np.log(np.array(long)).T
    away = sizes - sizes.mean()
    return float(away @ times / (away @ away))


def table(over: str, beside: str, rows: Mapping[str, Mapping[int, Measures]]) -> str:
    """A heading and a row a stage, over the number of files or of classes."""
    sizes = sorted({size for row in rows.values() for size in row})
    heading = (
        f"over {over}, {beside}\n"
        f"seconds at each size; exponent: the least-squares slope of log seconds over log {over}, "
        f"of times above {1000 * LEAST:.0f} ms (- where fewer than two are);\n"
        f"where {over} are most: processor seconds, the peak of memory above that of the imports, "
        "bytes a file that the result keeps"
    )
    cells = [("", *map(power, sizes), "exponent", "processor s", "peak MB", "bytes a file")]
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
    """A power of ten as such."""
    digits = round(math.log10(size))
    return f"10^{digits}" if size == 10**digits else str(size)
