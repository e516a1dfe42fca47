"""The columns of a table: which of them are file, label, split, start and end, in any spelling."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kakera.errors import DataError

KNOWN = {  # in each line the first name wins
    "file": "file filename filepath path image imagename imagepath picture recording audio audiopath",
    "label": "label labels class classes classname category categories target",
    "split": "split set subset partition part",
    "start": "start begin starttime",
    "end": "end stop endtime",
}


def columns_of(table: Path, header: Sequence[str], label: str = "") -> dict[str, int]:
    """Return the number of each known column, from the names in a header.

    Case, spaces, "-" and "_" are ignored. The first name in each line of `KNOWN` wins over its synonyms.
    `label` names the column with the labels in place of those in `KNOWN`. `table` is for messages. Raises
    DataError if two columns mean the same, if no column is the file, or if there is no such label.

    Example:

        >>> columns_of(Path("birds.csv"), ["File_Name", "Class", "weather"])
        {'file': 0, 'label': 1}
        >>> columns_of(Path("birds.csv"), ["File_Name", "Class", "weight"], label="weight")
        {'file': 0, 'label': 2}
    """
    folded = [_fold(name) for name in header]
    found: dict[str, int] = {}
    for meaning, words in KNOWN.items():
        if meaning == "label" and label:
            found[meaning] = _named(table, header, label)
            continue
        names = words.split()
        plain = [number for number, name in enumerate(folded) if name == names[0]]
        others = [number for number, name in enumerate(folded) if name in names[1:]]
        chosen = plain or others
        if len(chosen) > 1 and meaning in ("file", "label", "split"):
            got = f"columns {', '.join(header[number].strip() for number in chosen)}"
            raise _error(table, got, f"one {meaning} column, or one named {meaning}")
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


def _named(table: Path, header: Sequence[str], label: str) -> int:
    """Return the number of the column `label`. Raises DataError if there is none, or more than one."""
    exact = [number for number, name in enumerate(header) if name.strip() == label.strip()]
    found = exact or [number for number, name in enumerate(header) if _fold(name) == _fold(label)]
    if len(found) != 1:
        shown = ", ".join(name.strip() for name in header if name.strip())
        raise _error(table, f"columns {shown or 'none'}", f"one column named {label}")
    return found[0]


def ignored(header: Sequence[str], used: Collection[int]) -> list[str]:
    """Return the names of the columns that kakera does not use.

    Example:

        >>> ignored(["file", "label", "weather"], {0, 1})
        ['weather']
    """
    return [name.strip() for number, name in enumerate(header) if name.strip() and number not in used]


def _fold(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _error(table: Path, got: str, expected: str) -> DataError:
    return DataError(str(table), got=got, expected=expected, do="correct the table")
