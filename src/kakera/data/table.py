"""A CSV or TSV table: `file,label[,split][,start,end]`, several labels separated by `|`.

`start` and `end`, in seconds, name a part of a recording; either may be empty.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np

from kakera.data.audio import WHOLE, Span
from kakera.data.dataset import Dataset
from kakera.data.media import is_sound, of_one_kind, opened
from kakera.errors import DataError, UnreadableFileError, sentence

_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def open_table(table: Path, channels: int | None) -> tuple[Dataset, bool]:
    """The pictures or recordings that a table names, and whether it splits them. Raises DataError.

    Paths are relative to the table. Missing files are listed as unreadable.
    """
    rows = _rows(table)
    present = [row for row in rows if _is_file(table.parent / row["file"])]
    there = {row["file"] for row in present}
    missing = tuple(
        UnreadableFileError(table.parent / row["file"], "got no file of this name, expected a file")
        for row in rows
        if row["file"] not in there
    )
    if not present:
        raise _error(table, f"{len(rows)} rows and none of their files", "files beside the table")
    given = [
        [word.strip() for word in (row.get("label") or "").split("|") if word.strip()] for row in present
    ]
    classes = tuple(sorted({word for words in given for word in words}))
    paths = [table.parent / row["file"] for row in present]
    if len(of_one_kind(paths)) < len(paths) and is_sound(paths):
        raise _error(table, "pictures among recordings", "files of one kind")
    spans = [_span(table, row) for row in present] if is_sound(paths) else []
    pictures, chosen = opened(paths, channels, spans)
    dataset = Dataset(
        str(table),
        pictures,
        channels=chosen,
        split=np.array([_split(table, row) for row in present]),
        classes=classes,
        labels=_labels(given, classes),
        unreadable=missing,
    )
    return dataset, any(row.get("split") for row in present)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or behind a closed door
        return False


def _labels(given: list[list[str]], classes: tuple[str, ...]) -> np.ndarray | None:
    if not classes:
        return None
    if max(map(len, given)) <= 1:
        return np.array([classes.index(words[0]) if words else -1 for words in given])
    return np.array([[name in words for name in classes] for words in given])


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            dialect = "excel-tab" if table.suffix.lower() == ".tsv" else "excel"
            reader = csv.DictReader(file, dialect=dialect, strict=True)
            names = reader.fieldnames or []
            rows = [row for row in reader if row.get("file")]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise _error(table, f"a table that cannot be read ({error})", "UTF-8 with a header") from error
    if "file" not in names:
        raise _error(table, f"columns {', '.join(names) or 'none'}", "file,label[,split][,start,end]")
    if not rows:
        raise _error(table, "no rows", "one for each file")
    named = ("file", "start", "end") if is_sound([Path(row["file"]) for row in rows]) else ("file",)
    twice, times = Counter(tuple(row.get(name) for name in named) for row in rows).most_common(1)[0]
    if times > 1:
        raise _error(table, f"{twice[0]} more than once", "each file once, several labels joined by |")
    return rows


def _span(table: Path, row: dict[str, str]) -> Span:
    """Start and end in seconds. Raises DataError."""
    words = [(row.get(name) or "").strip() for name in ("start", "end")]
    try:
        start, end = (float(word) if word else other for word, other in zip(words, WHOLE, strict=True))
    except ValueError:
        start = end = math.nan
    if not 0 <= start < end:
        raise _error(table, f"start and end {','.join(words)} for {row['file']}", "seconds, the end later")
    return start, end


def _split(table: Path, row: dict[str, str]) -> str:
    word = (row.get("split") or "train").strip().lower()
    if word not in _SPLITS:
        raise _error(table, f"split {word} for {row['file']}", "train, val or test")
    return _SPLITS[word]


def _error(table: Path, got: str, expected: str) -> DataError:
    return DataError(sentence(str(table), got=got, expected=expected, do="correct the table"))
