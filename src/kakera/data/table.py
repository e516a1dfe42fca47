"""A CSV or TSV table: `file,label[,split][,start,end]`, several labels separated by `|`.

`start` and `end`, in seconds, name a part of a recording; either may be empty.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from kakera.data.audio import WHOLE, Span
from kakera.data.dataset import Dataset
from kakera.data.folder import alike
from kakera.data.media import Kind, kind_of, kind_suffixes, opened, other_kind
from kakera.data.part_names import part_of
from kakera.data.rows import Row, require_once, rows_of
from kakera.data.tree import suffix_of
from kakera.errors import DataError, UnreadableFileError, printable, sentence


def open_table(table: Path, channels: int | None, kind: Kind = "any") -> tuple[Dataset, bool]:
    """The pictures or recordings that a table names, and whether it splits them. Raises DataError.

    Paths are relative to the table. Missing files are listed as unreadable. `kind` chooses where both are
    named; else what most are is taken, and the rest is `left` out.
    """
    rows, without, unused = rows_of(table)
    splits = _splits(table, rows)
    if splits is None:
        unused = [*unused, *([rows[0].columns["split"]] if "split" in rows[0].columns else [])]
    found = [_file(table.parent, row.file) for row in rows]
    missing = tuple(
        UnreadableFileError(path, "got no file of this name, expected a file")
        for path, identity in found
        if identity is None
    )
    names = [row.file for row in rows]
    kind = kind_of(names, kind)
    other = kind_suffixes("pictures" if kind == "recordings" else "recordings")
    chosen = [n for n, row in enumerate(rows) if found[n][1] is not None and suffix_of(row.file) not in other]
    if not chosen:
        raise _error(table, f"{len(rows)} rows and none of their files", "files beside the table")
    paths, present = [found[n][0] for n in chosen], [rows[n] for n in chosen]
    parts = [splits[n] if splits else "train" for n in chosen]
    spans = [_span(table, row) for row in present] if kind == "recordings" else []
    identities = [(*(found[n][1] or ()), *(spans[place] if spans else ())) for place, n in enumerate(chosen)]
    require_once(table, present, paths, identities, parts)
    given = [row.labels for row in present]
    classes = tuple(sorted({word for words in given for word in words}))
    pictures, depth = opened(paths, channels, spans, kind=kind)
    dataset = Dataset(
        str(table),
        pictures,
        channels=depth,
        split=np.array(parts),
        classes=classes,
        labels=_labels(given, classes),
        unreadable=missing,
        left=tuple(
            (printable(table.parent / name), why)
            for name, why in other_kind(
                [n for n, (_, identity) in zip(names, found, strict=True) if identity], kind
            )
        ),
        emptied=tuple(sorted({word for row in rows for word in row.labels} - {*classes})),
        notes=(*_unused(unused, without), *alike(classes)),
    )
    return dataset, splits is not None


def _file(folder: Path, name: str) -> tuple[Path, tuple[int, int] | None]:
    """The path, and which file it is; None where there is no such file.

    Where the name alone is none, blanks around it and Windows' \\ count as mistakes.
    """
    first = folder / name
    for other in dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/"))):
        path = folder / other
        try:
            if path.is_file():
                stat = path.stat()
                return path, (stat.st_dev, stat.st_ino or hash(os.path.realpath(path)))
        except (OSError, ValueError):  # a name that is too long, or behind a closed door
            continue
    return first, None


def _labels(given: list[list[str]], classes: tuple[str, ...]) -> np.ndarray | None:
    if not classes:
        return None
    number = {name: code for code, name in enumerate(classes)}
    if max(map(len, given)) <= 1:
        return np.array([number[words[0]] if words else -1 for words in given])
    labels = np.zeros((len(given), len(classes)), dtype=np.bool_)
    for row, words in zip(labels, given, strict=True):
        row[[number[word] for word in words]] = True
    return labels


def _unused(columns: list[str], lines: list[int]) -> list[str]:
    notes = [f"columns without a meaning here: {', '.join(columns)}"] if columns else []
    shown = ", ".join(map(str, lines[:3])) + (", …" if len(lines) > 3 else "")
    return notes + ([f"rows that name no file: {len(lines)} (line {shown})"] if lines else [])


def _splits(table: Path, rows: list[Row]) -> list[str] | None:
    """The part of each row; None where the table says none, or its column means something else.

    Raises DataError for a word that is no part, where others are or the column is called split.
    """
    parts = [part_of(row.split) if row.split else "train" for row in rows]
    if not any(row.split for row in rows):
        return None
    unknown = [row for row, part in zip(rows, parts, strict=True) if part is None]
    plain = rows[0].columns["split"].strip().casefold() == "split"
    if unknown and not plain and not any(row.split and part for row, part in zip(rows, parts, strict=True)):
        return None
    if unknown:
        raise _error(table, f"split {unknown[0].split} for {unknown[0].file}", "train, val or test")
    return [part or "train" for part in parts]


def _span(table: Path, row: Row) -> Span:
    """Start and end in seconds. Raises DataError."""
    words = (row.start, row.end)
    try:
        start, end = (float(word) if word else other for word, other in zip(words, WHOLE, strict=True))
    except ValueError:
        start = end = math.nan
    if not 0 <= start < end:
        raise _error(table, f"start and end {','.join(words)} for {row.file}", "seconds, the end later")
    return start, end


def _error(table: Path, got: str, expected: str) -> DataError:
    return DataError(sentence(str(table), got=got, expected=expected, do="correct the table"))
