"""The rows of a table, stored column by column."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from array import array
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.names import Names, NamesBuilder
from kakera.data.sources.columns import columns_of, ignored
from kakera.errors import DataError
from kakera.progress import Progress

MEGABYTE = 1 << 20
BLOCK = 512  # rows at a time: few enough to stay in the processor's cache
LARGE = 8  # megabytes from which on progress is shown: smaller tables are read in a moment


@dataclass(frozen=True)
class Rows:
    """The n rows of a table that name a file. Repeated words are stored as numbers in a list of words.

    See `rows_of`.
    """

    table: Path
    files: Names
    lines: NDArray[np.int64]
    """(n,) The number of the last line of each row."""
    hashes: NDArray[np.int64]
    """(n,) A hash of each name: equal for equal names. `plain` defines which names are equal."""
    odd: NDArray[np.int64]
    """Rows whose name has spaces around it, a backslash or a zero byte, and may be a mistake."""
    label: NDArray[np.int32]
    label_sets: list[list[str]]
    split: NDArray[np.int32]
    split_words: list[str]
    starts: Names | None
    ends: Names | None
    called: dict[str, str]
    """The names of the known columns in the table."""
    without: list[int]
    """The numbers of the lines without a file name."""
    unused: list[str]
    """The columns that kakera does not use."""

    def __len__(self) -> int:
        return len(self.files)

    def labels(self, row: int) -> list[str]:
        """Return the labels of a row, without spaces around them."""
        return self.label_sets[self.label[row]]

    def span(self, row: int) -> tuple[str, str]:
        """Return the texts of start and end of a row, without spaces; empty if there are none."""
        start, end = (words[row] if words is not None else "" for words in (self.starts, self.ends))
        return start, end


class _Numbers(dict[str, int]):
    """Words, numbered in the order in which they appear."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


class _Columns:
    """The columns of a table, which is read block by block."""

    def __init__(self, table: Path, header: Sequence[str], columns: dict[str, int]) -> None:
        self.table, self.width, self.columns = table, len(header), columns
        self.folder = os.path.abspath(table.parent)  # noqa: PTH100  # a Path keeps ..
        self.files, self.lines, self.hashes, self.odd = NamesBuilder(), array("q"), array("q"), array("q")
        self.words = {name: (_Numbers(), array("i")) for name in ("label", "split")}
        self.times = {name: NamesBuilder() for name in ("start", "end") if name in columns}
        self.without: list[int] = []

    def add(self, lines: list[int], rows: list[list[str]]) -> None:
        """Add a block of rows. Raises DataError if one has more cells than the header."""
        if {*map(len, rows)} - {self.width}:
            rows = [self._row(line, cells) for line, cells in zip(lines, rows, strict=True)]
        cells = [*zip(*rows, strict=True)]
        stripped = tuple(map(str.strip, cells[self.columns["file"]])) if cells else ()
        if not all(stripped):
            self.without += [
                line
                for line, row, name in zip(lines, rows, stripped, strict=True)
                if not name and any(map(str.strip, row))
            ]
            lines, cells = [*compress(lines, stripped)], [tuple(compress(c, stripped)) for c in cells]
            stripped = tuple(filter(None, stripped))
        if stripped:
            self._add(lines, cells, stripped)

    def _row(self, line: int, cells: list[str]) -> list[str]:
        """Return a row with as many cells as the header has."""
        if any(cell.strip() for cell in cells[self.width :]):
            got = f"{len(cells)} cells in line {line}"
            expected = f"{self.width}, as in the header, or quotes around commas"
            raise error(self.table, got, expected)
        return [*cells[: self.width], *[""] * (self.width - len(cells))]

    def _add(self, lines: list[int], cells: list[tuple[str, ...]], stripped: tuple[str, ...]) -> None:
        names = cells[self.columns["file"]]
        first, text = len(self.lines), "\0" + "\0".join(names)
        if "\\" in text or names != stripped or text.count("\0") > len(names):
            self.odd.extend(
                [
                    first + n
                    for n, name in enumerate(names)
                    if "\\" in name or "\0" in name or name != name.strip()
                ]
            )
        is_plain = not any(word in text for word in ("./", "//", "\0/"))
        self.hashes.extend(map(hash, names if is_plain else [plain(name, self.folder) for name in names]))
        self.lines.extend(lines)
        self.files.extend(names)
        for name, (numbers, codes) in self.words.items():
            if name in self.columns:
                codes.extend(map(numbers.__getitem__, cells[self.columns[name]]))
        for name, builder in self.times.items():
            builder.extend([*map(str.strip, cells[self.columns[name]])])

    def rows(self, header: Sequence[str]) -> Rows:
        """Return all rows."""
        (labels, label), (splits, split) = self.words["label"], self.words["split"]
        count = len(self.lines)
        times = {name: builder.names() for name, builder in self.times.items()}
        return Rows(
            table=self.table,
            files=self.files.names(),
            lines=np.frombuffer(self.lines, np.int64),
            hashes=np.frombuffer(self.hashes, np.int64),
            odd=np.array(self.odd, np.int64),
            label=np.frombuffer(label, np.int32) if labels else np.zeros(count, np.int32),
            label_sets=[*map(_labels, labels or [""])],
            split=np.frombuffer(split, np.int32) if splits else np.zeros(count, np.int32),
            split_words=[word.strip() for word in splits or [""]],
            starts=times.get("start"),
            ends=times.get("end"),
            called={meaning: header[number] for meaning, number in self.columns.items()},
            without=self.without,
            unused=ignored(header, {*self.columns.values()}),
        )


def rows_of(table: Path, label: str = "") -> Rows:
    """Return the rows that name a file; `label` is the column with the labels, "" finds it by its name.

    Raises DataError if the table cannot be read or has no rows.

    Example:

        >>> lines = ["file,label", "a.wav,owl", "b.wav,owl|wren"]
        >>> _ = Path("birds.csv").write_text(chr(10).join(lines))
        >>> rows = rows_of(Path("birds.csv"))
        >>> [*rows.files], rows.labels(1)
        (['a.wav', 'b.wav'], ['owl', 'wren'])
    """
    try:
        with table.open("rb") as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as file:
            tabs = table.suffix.lower() == ".tsv"
            reader = csv.reader(file, dialect="excel-tab" if tabs else "excel", strict=True)
            header = next((cells for cells in reader if cells), [])
            found = _Columns(table, header, columns_of(table, header, label))
            size = table.stat().st_size // MEGABYTE
            quiet = size < LARGE or None
            with Progress(f"read {table.name}", total=size, kind="MB", quiet=quiet) as progress:
                for lines, rows in _blocks(reader):
                    found.add(lines, rows)
                    progress.advance(raw.tell() // MEGABYTE - progress.done)
    except (UnicodeDecodeError, csv.Error, OSError) as wrong:
        raise error(table, f"a table that cannot be read ({wrong})", "a UTF-8 table with a header") from wrong
    if not found.lines:
        raise error(table, "no rows", "one row for each file")
    return found.rows(header)


def _blocks(reader: Any) -> Generator[tuple[list[int], list[list[str]]]]:
    """Yield line numbers and rows, block by block; before an error is raised, the rows before it."""
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
            if len(rows) == BLOCK:
                yield lines, rows
                lines, rows = [], []
    except (UnicodeDecodeError, csv.Error, OSError):
        yield lines, rows
        raise
    yield lines, rows


def plain(name: str, folder: str) -> str:
    """Return a file name without double slashes, single dots and the folder at its start.

    Two dots stay: after a link they lead to another folder.

    Example:

        >>> plain("/data/./birds//a.wav", "/data")
        'birds/a.wav'
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    path = ("/" if name.startswith("/") else "") + "/".join(parts)
    return path.removeprefix(f"{folder}/")


def _labels(cell: str) -> list[str]:
    words = [unicodedata.normalize("NFC", word.strip()) for word in cell.split("|")]
    return [word for word in words if word]


def error(table: Path, got: str, expected: str) -> DataError:
    """Return the error for a table.

    Example:

        >>> str(error(Path("birds.csv"), "no rows", "at least one"))
        'birds.csv: got no rows, expected at least one; correct the table'
    """
    return DataError(str(table), got=got, expected=expected, do="correct the table")
