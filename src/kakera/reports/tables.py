"""The CSV files of a report, and the notation of numbers."""

from __future__ import annotations

import csv
import itertools
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
    cells = ([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    write_atomically(path, csv_text(itertools.chain([header], cells)).encode())


class _Lines(list[str]):
    def write(self, line: str) -> int:
        self.append(line.removesuffix("\r\n") + "\n")
        return len(line)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as the text of a CSV file.

    Lines end with LF, but the writer ends them with CR LF: it then also quotes a CR in the name of a file.

    Example:

        >>> csv_text([("a", "b\\rc")])
        'a,"b\\rc"\\n'
    """
    lines = _Lines()
    csv.writer(lines).writerows(rows)
    return "".join(lines)


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
