"""The CSV files behind a report, and how a number is written."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from kakera.reports.intervals import Difference, Interval
from kakera.storage import write_atomically

RESULTS, COSTS = "results.csv", "costs.csv"


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Atomically; numbers with up to six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row])
    write_atomically(path, text.getvalue().encode())


def per_cent(value: Interval) -> str:
    """83.6 ± 0.4, a 95 % interval in per cent; the mean alone, for one value."""
    mean = f"{100 * value.mean:.1f}"
    return f"{mean} ± {100 * value.half:.1f}" if math.isfinite(value.half) else mean


def points(value: Difference) -> str:
    """+2.1 ± 0.8: a difference in points of per cent, with its 95 % interval."""
    mean = f"{100 * value.mean:+.1f}".replace("-", "−")
    return f"{mean} ± {100 * value.half:.1f}" if math.isfinite(value.half) else mean


def amount(number: float) -> str:
    """1.4 M, 98 k, 2.3 G: with the prefix that fits."""
    for size, sign in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {sign}"
    return f"{number:.3g} "
