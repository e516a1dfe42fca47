"""The columns of a table: which of them mean file, label, split, start and end, however they are written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kakera.errors import DataError

KNOWN = {  # the first name is taken where several are there
    "file": "file filename filepath path image imagename imagepath picture recording audio audiopath",
    "label": "label labels class classes classname category categories target",
    "split": "split set subset partition part",
    "start": "start begin starttime",
    "end": "end stop endtime",
}


def columns_of(table: Path, header: Sequence[str]) -> dict[str, int]:
    """Return the number of each column that is known, from the names in a header.

    Case, blanks, - and _ count as nothing. The plain name wins over a synonym. Raises DataError where two
    columns mean the same, or none is the file.
    """
    folded = [_fold(name) for name in header]
    found: dict[str, int] = {}
    for meaning, words in KNOWN.items():
        names = words.split()
        plain = [number for number, name in enumerate(folded) if name == names[0]]
        others = [number for number, name in enumerate(folded) if name in names[1:]]
        chosen = plain or others
        if len(chosen) > 1 and meaning in ("file", "label", "split"):
            got = f"columns {', '.join(header[number].strip() for number in chosen)}"
            raise _error(table, got, f"one for the {meaning}, or one named {meaning}")
        if chosen:
            found[meaning] = chosen[0]
    if "file" not in found:
        shown = ", ".join(name.strip() for name in header if name.strip())
        raise _error(table, f"columns {shown or 'none'}", "file,label[,split][,start,end]")
    if "start" in found and "end" not in found:
        lengths = [name.strip() for name in header if _fold(name) in ("duration", "length", "offset")]
        if lengths:
            raise _error(table, f"columns start and {lengths[0]}", "start and end, in seconds")
    return found


def ignored(header: Sequence[str], used: Collection[int]) -> list[str]:
    """Return the names of the columns that mean nothing here."""
    return [name.strip() for number, name in enumerate(header) if name.strip() and number not in used]


def _fold(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _error(table: Path, got: str, expected: str) -> DataError:
    return DataError(str(table), got=got, expected=expected, do="correct the table")
