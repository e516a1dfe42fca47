"""A check that no two rows of a table contradict each other: each file may occur once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import PARTS
from kakera.data.sources.lookup import LookedUpFiles
from kakera.data.sources.rows import Rows, error, plain


def require_once(
    rows: Rows,
    chosen: NDArray[np.int64],
    found: LookedUpFiles,
    parts: NDArray[np.int8],
    spans: NDArray[np.float64] | None,
) -> None:
    """Raise DataError if rows repeat a file: with other labels, in another part, or at all.

    Only the `chosen` rows count. Two rows have the same file if `found` and `spans` (k, 2) of the chosen rows
    are equal. Equal files with different names, such as hard links, may share part and label. `parts` has the
    number in PARTS of each row of the table.

    Example:

        >>> from pathlib import Path
        >>> from kakera.data.sources import lookup, rows
        >>> _ = Path("a.png").touch(), Path("one.csv").write_text(chr(10).join(["file", "a.png", "a.png"]))
        >>> table = rows.rows_of(Path("one.csv"))
        >>> require_once(table, np.arange(2), lookup.look_up(table), np.zeros(2, np.int8), None)
        Traceback (most recent call last):
        kakera.errors.DataError: one.csv: got a.png more than once (lines 2 and 3), expected ...
    """
    folder = os.path.abspath(rows.table.parent)  # noqa: PTH100  # a Path keeps ..
    keys = [*found.keys[chosen].T, *([] if spans is None else spans.T)]
    for two, one in _repeated(keys):
        first, again = int(chosen[one]), int(chosen[two])
        of_first, of_again = rows.files[first], rows.files[again]
        names = found.files[first], found.files[again]
        if not found.all and len({plain(name, folder) for name in names}) > 1:
            continue
        where = f"(lines {rows.lines[first]} and {rows.lines[again]})"
        both = of_first if of_first == of_again else f"{of_first} and {of_again}, one file,"
        if {*rows.labels(first)} != {*rows.labels(again)}:
            labels = " and ".join("|".join(rows.labels(row)) or "none" for row in (first, again))
            expected = "each file once, several labels joined by |"
            raise error(rows.table, f"{both} more than once, with labels {labels} {where}", expected)
        if parts[first] != parts[again]:
            got = f"{both} more than once, in {PARTS[parts[first]]} and in {PARTS[parts[again]]} {where}"
            raise error(rows.table, got, "each file in one part")
        if not found.all or len({_real(folder, name) for name in names}) == 1:
            expected = "each file once, several labels joined by |"
            raise error(rows.table, f"{both} more than once {where}", expected)


def _real(folder: str, name: str) -> str:
    return os.path.realpath(os.path.join(folder, name))  # noqa: PTH118  # as elsewhere, a Path costs more


def _repeated(keys: Sequence[NDArray[Any]]) -> Iterator[tuple[int, int]]:
    """Yield (repeated row, first row) of equal keys, in the order of the repeated rows."""
    ordered = np.sort(keys[0])
    if not (ordered[1:] == ordered[:-1]).any():
        return
    order = np.argsort(keys[0], kind="stable") if len(keys) == 1 else np.lexsort(keys[::-1])
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        ordered = key[order]
        same &= ordered[1:] == ordered[:-1]
    places = np.flatnonzero(same)
    if not len(places):
        return
    begins = np.flatnonzero(np.append(True, ~same))
    firsts = order[begins[np.searchsorted(begins, places, side="right") - 1]]
    again = order[places + 1]
    for place in np.argsort(again, kind="stable").tolist():
        yield int(again[place]), int(firsts[place])
