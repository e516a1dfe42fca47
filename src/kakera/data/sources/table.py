"""A CSV or TSV table with columns `file,label[,split][,start,end]`; `|` separates several labels.

`start` and `end`, in seconds, select a part of a recording; either may be empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.decode import WHOLE
from kakera.data.audio.recordings import Spans
from kakera.data.dataset import PARTS, Dataset
from kakera.data.folders.media import Kind, kind_of, kind_suffixes, opened, other_kind
from kakera.data.folders.part_names import part_of
from kakera.data.names import Paths
from kakera.data.sources.folder import alike
from kakera.data.sources.lookup import LookedUpFiles, look_up
from kakera.data.sources.once import require_once
from kakera.data.sources.rows import Rows, error, rows_of
from kakera.errors import UnreadableFileError, printable


def open_table(
    table: Path, channels: int | None, kind: Kind = "any", label: str = ""
) -> tuple[Dataset, bool]:
    """Open the pictures or recordings of a table; also return True if it has a split. Raises DataError.

    Paths are relative to the table. Missing files are listed as unreadable; in a table of more than a million
    rows they are detected only when they are read. `kind` chooses between pictures and recordings if both are
    listed; "any" takes the kind of most files. The other files are listed in `left_out`. `label` is the
    column with the labels; "" finds it by its name.

    Example:

        >>> from PIL import Image
        >>> Image.new("L", (8, 8)).save("a.png")
        >>> _ = Path("one.csv").write_text(chr(10).join(["file,label,split", "a.png,cat,test"]))
        >>> dataset, has_split = open_table(Path("one.csv"), None)
        >>> dataset.classes, dataset.split.tolist(), has_split
        (('cat',), ['test'], True)
    """
    rows = rows_of(table, label)
    splits = _splits(rows)
    found = look_up(rows)
    kind = kind_of(rows.files, kind)
    other = rows.files.with_suffix(kind_suffixes("pictures" if kind == "recordings" else "recordings"))
    chosen = np.flatnonzero(found.exists & ~other)
    if not len(chosen):
        raise error(table, f"{len(rows)} rows, but none of their files", "paths relative to the table")
    parts = splits if splits is not None else np.zeros(len(rows), np.int8)
    spans = _spans(rows, chosen) if kind == "recordings" and (rows.starts or rows.ends) else None
    require_once(rows, chosen, found, parts, spans)
    every = len(chosen) == len(rows)
    paths = Paths(table.parent, found.files if every else found.files.take(chosen))
    classes, labels = _labels(rows, chosen)
    pictures, depth = opened(paths, channels, Spans(spans) if spans is not None else (), kind=kind)
    dataset = Dataset(
        str(table),
        pictures,
        channels=depth,
        split=np.array(PARTS)[parts if every else parts[chosen]],
        classes=classes,
        labels=labels,
        unreadable=_missing(found, table.parent),
        left_out=tuple(
            (printable(table.parent / name), why)
            for name, why in other_kind(rows.files.take(np.flatnonzero(other & found.exists)), kind)
        ),
        emptied=tuple(sorted({word for words in rows.label_sets for word in words} - {*classes})),
        notes=(*_notes(rows, splits is not None), *found.notes, *alike(classes)),
    )
    return dataset, splits is not None


def _missing(found: LookedUpFiles, folder: Path) -> tuple[UnreadableFileError, ...]:
    reason = "got no file of this name, expected a file"
    names = found.files.take(np.flatnonzero(~found.exists))
    return tuple(UnreadableFileError(folder / name, reason) for name in names)


def _labels(rows: Rows, chosen: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[Any] | None]:
    """Return the classes of the chosen rows, and their labels."""
    codes = rows.label[chosen]
    given = {int(code): rows.label_sets[code] for code in np.flatnonzero(np.bincount(codes))}
    classes = tuple(sorted({word for words in given.values() for word in words}))
    if not classes:
        return (), None
    number = {name: code for code, name in enumerate(classes)}
    if max(map(len, given.values())) <= 1:
        one = np.full(len(rows.label_sets), -1, np.int64)
        for code, words in given.items():
            one[code] = number[words[0]] if words else -1
        return classes, one[codes]
    labels = np.zeros((len(codes), len(classes)), np.bool_)
    for row, code in zip(labels, codes.tolist(), strict=True):
        row[[number[word] for word in given[code]]] = True
    return classes, labels


def _notes(rows: Rows, divided: bool) -> list[str]:
    unused = [*rows.unused, *([rows.called["split"]] if not divided and "split" in rows.called else [])]
    notes = [f"ignored columns: {', '.join(unused)}"] if unused else []
    lines = rows.without
    shown = ", ".join(map(str, lines[:3])) + (", …" if len(lines) > 3 else "")
    if lines:
        notes.append(f"rows without a file name: {len(lines)} (line {shown})")
    return notes


def _splits(rows: Rows) -> NDArray[np.int8] | None:
    """Return (n,) the part of each row, a number in PARTS; None if the table has no split.

    Raises DataError for an unknown word, if other rows have a part or the column is called split.
    """
    words = rows.split_words
    if not any(words):
        return None
    parts = [part_of(word) if word else "train" for word in words]
    if None in parts:
        plain = rows.called["split"].strip().casefold() == "split"
        if not plain and not any(word and part for word, part in zip(words, parts, strict=True)):
            return None
        unknown = int(np.isin(rows.split, [code for code, part in enumerate(parts) if part is None]).argmax())
        got = f"split {words[rows.split[unknown]]} for {rows.files[unknown]}"
        raise error(rows.table, got, "train, val or test")
    return np.array([PARTS.index(part or "train") for part in parts], np.int8)[rows.split]


def _spans(rows: Rows, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (n, 2) start and end in seconds. Raises DataError."""
    found = np.empty((len(chosen), 2))
    for column, (words, whole) in enumerate(zip((rows.starts, rows.ends), WHOLE, strict=True)):
        times: Sequence[str] = words.take(chosen) if words is not None else ()
        found[:, column] = np.fromiter((_seconds(word, whole) for word in times), float) if times else whole
    right = (found[:, 0] >= 0) & (found[:, 0] < found[:, 1])
    if not right.all():
        row = int(chosen[right.argmin()])
        got = f"start and end {','.join(rows.span(row))} for {rows.files[row]}"
        raise error(rows.table, got, "seconds, with the end after the start")
    return found


def _seconds(word: str, other: float) -> float:
    try:
        return float(word) if word else other
    except ValueError:
        return math.nan
