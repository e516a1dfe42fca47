"""The CSV files of a report, and the notation of numbers."""

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
    """Write a CSV file atomically; floats have six decimals.

    Example:

        >>> write_csv(Path("results.csv"), ("seed", "score"), [(0, 0.5)])
        >>> Path("results.csv").read_text().splitlines()
        ['seed,score', '0,0.500000']
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row])
    write_atomically(path, text.getvalue().encode())


def per_cent(value: Interval) -> str:
    """Return a share as text in per cent with its 95 % interval; without interval for one value.

    Example:

        >>> per_cent(Interval(0.836, 0.004, 3))
        '83.6 ± 0.4'
    """
    mean = f"{100 * value.mean:.1f}"
    return f"{mean} ± {100 * value.half:.1f}" if math.isfinite(value.half) else mean


def points(value: Difference) -> str:
    """Return a difference of shares as text in percentage points with its 95 % interval.

    Example:

        >>> points(Difference(0.021, 0.008, 3))
        '+2.1 ± 0.8'
    """
    mean = f"{100 * value.mean:+.1f}".replace("-", "−")
    return f"{mean} ± {100 * value.half:.1f}" if math.isfinite(value.half) else mean


def amount(number: float) -> str:
    """Return a number as text with a unit prefix: k, M, G, T or P.

    Example:

        >>> amount(1_400_000)
        '1.4 M'
    """
    for size, sign in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {sign}"
    return f"{number:.3g} "
