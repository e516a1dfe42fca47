"""The CSV table of labels: one row for each labelled or skipped file, written as a whole at each change."""

from __future__ import annotations

import csv
import glob
import io
import itertools
import os
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from kakera.data.audio.decode import WHOLE
from kakera.data.dataset import Dataset
from kakera.errors import DataError, OptionError, StorageError, printable
from kakera.reports.tables import csv_text
from kakera.storage import storing, write_atomically

OWN = ("file", "label", "part", "drawn", "predicted", "person", "time", "earlier")
SPAN = ("start", "end")
ABANDONED = 60.0  # seconds after which a temporary file belongs to no running server
MOST = 100  # letters of a label or a name
MARK = "|"  # between several labels of a file, in every table that kakera reads
Place: TypeAlias = tuple[str, str, str]
"""File, start and end of a sample; start and end are "" for whole files."""


@dataclass(frozen=True)
class Entry:
    """The row of a file: its label, "" if it was skipped, and how it was labelled."""

    label: str
    part: str = "train"
    """"test" for the files drawn at random from all files, else "train"."""
    drawn: str = ""
    """The reason why the file was shown: typical, uncertain, random, or selected by a person."""
    predicted: str = ""
    """The class that the head predicted before the file was labelled; "" without a head."""
    person: str = ""
    time: str = ""
    """UTC, as 2026-01-31T12:00:00Z."""
    earlier: str = ""
    """Labels that were replaced, the oldest first: "boot by Ann; bag by Ben"."""


@dataclass(frozen=True)
class Change:
    """One click: files with their entries before (None without) and after it."""

    before: tuple[tuple[int, Entry | None], ...]
    after: tuple[tuple[int, Entry], ...]


def is_same_change(entry: Entry | None, other: Entry) -> bool:
    """Return True if two entries are of one click; the part may have changed since.

    Example:

        >>> is_same_change(Entry("boot", part="train"), Entry("boot", part="test"))
        True
    """
    return entry is not None and replace(entry, part=other.part) == other


class LabelTable:
    """The table at `path` for samples at `places`; `read` before the first `write`.

    Rows of files that are not among `places` are kept as they are.

    Example:

        >>> table = LabelTable(Path("labels.csv"), [("a.png", "", ""), ("b.png", "", "")])
        >>> table.read()
        {}
        >>> table.write({1: Entry("boot")})
        >>> Path("labels.csv").read_text().splitlines()
        ['file,label,part,drawn,predicted,person,time,earlier', 'b.png,boot,train,,,,,']
    """

    def __init__(self, path: Path, places: Sequence[Place]) -> None:
        self.path, self.places = path, places
        self.divided = any(place[1] or place[2] for place in places)
        self.header = (*OWN, *SPAN) if self.divided else OWN
        self.foreign: list[list[str]] = []
        """Rows of files that are not among `places`."""
        self._state: tuple[int, ...] | None = None

    def read(self) -> dict[int, Entry]:
        """Return the entries of an existing table by row of `places`, in the order of the table.

        Raises OptionError for a file that is no such table or names a sample twice, and StorageError if it
        cannot be read.
        """
        self._clear()
        self._state = self._stamp()
        if self._state is None:
            return {}
        with storing(self.path):
            content = self.path.read_bytes()
        try:
            text = io.StringIO(content.decode("utf-8-sig"), newline="")  # spreadsheets write the mark
            header, *rows = [cells for cells in csv.reader(text, strict=True) if cells]
        except (UnicodeDecodeError, csv.Error, ValueError):
            header, rows = [], []
        if tuple(header) not in (OWN, (*OWN, *SPAN)) or any(len(row) != len(header) for row in rows):
            expected = "a new file, or a table of kakera label"
            raise OptionError("out", got=f"{self.path}, which exists", expected=expected, do="choose another")
        numbers = {place: row for row, place in enumerate(self.places)}
        found, self.foreign = dict[int, Entry](), []
        for cells in rows:
            start, end = cells[len(OWN) :] or ("", "")
            row = numbers.get((cells[0], start, end))
            if row is None:
                self.foreign.append(cells)
            elif row in found:
                do = "delete one of them"
                raise OptionError("out", got=f"{cells[0]} twice in {self.path}", expected="one row", do=do)
            else:
                found[row] = replace(Entry(*cells[1 : len(OWN)]), label=self._label(*cells[:2]))
        if self.foreign and any(len(cells) > len(OWN) for cells in self.foreign):
            self.header = (*OWN, *SPAN)
        return found

    def write(self, entries: Mapping[int, Entry]) -> None:
        """Write the table, all of it or nothing; afterwards it is on the disk.

        Raises StorageError if the system cannot write, or if another program has changed the table.
        """
        if self._stamp() != self._state:
            got, do = "a table that another program has changed", "start kakera label again; nothing is lost"
            raise StorageError(str(self.path), got=got, expected="the table as it was written", do=do)
        text = csv_text(itertools.chain([self.header], self._cells(entries)))
        write_atomically(self.path, text.encode())
        self._state = self._stamp()

    def _label(self, file: str, label: str) -> str:
        """Return the label of a row that was read. Raises OptionError if no click can have written it."""
        try:
            return require_label(label) if label else ""
        except OptionError as error:
            got, do = f"{label[:MOST]!r} as label of {file} in {self.path}", "correct the table"
            expected = f'one class of 1 to {MOST} printable letters, without "{MARK}"'
            raise OptionError("out", got=got, expected=expected, do=do) from error

    def _cells(self, entries: Mapping[int, Entry]) -> Iterable[Sequence[str]]:
        width = len(self.header)
        for cells in self.foreign:
            yield [*cells, *[""] * (width - len(cells))]
        for row, entry in entries.items():
            file, start, end = self.places[row]
            own = entry.label, entry.part, entry.drawn, entry.predicted, entry.person, entry.time
            yield (file, *own, entry.earlier, start, end)[:width]

    def _clear(self) -> None:
        """Delete temporary files of servers that were killed while writing."""
        for path in self.path.parent.glob(f".{glob.escape(self.path.name)}.????????"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()

    def _stamp(self) -> tuple[int, ...] | None:
        """Return what changes if another program writes the table; None without a table."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            got, do = error.strerror, "check the folder"
            raise StorageError(str(self.path), got=got, expected="a readable table", do=do) from error
        return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def places_of(dataset: Dataset, table: Path) -> list[Place]:
    """Return file, relative to the table, start and end of each sample.

    Raises DataError for data without a file for each sample, such as arrays and shards.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> try:
        ...     places_of(open_dataset("demo"), Path("labels.csv"))
        ... except DataError as error:
        ...     print(str(error).partition(", expected")[0])
        demo: got samples that are no files of their own
    """
    paths = dataset.pictures.paths
    if not len(paths) or not isinstance(paths[0], str | os.PathLike):
        got, expected = "samples that are no files of their own", "a folder or a table of files"
        raise DataError(dataset.name, got=got, expected=expected, do="write them as files first")
    start = table.resolve().parent
    for path in map(str, paths):
        if path != printable(path):
            got, do = "a name that is not UTF-8", "rename the file"
            raise DataError(printable(path), got=got, expected="a name that a table can hold", do=do)
    names = [os.path.relpath(os.path.abspath(path), start) for path in paths]  # noqa: PTH100  # links stay
    sounds = dataset.sounds
    spans = sounds.spans if sounds is not None and len(sounds.spans) else [WHOLE] * len(names)
    found = list[Place]()
    for name, span in zip(names, spans, strict=True):
        begin, end = ("", "") if tuple(span) == WHOLE else map(_seconds, span)
        found.append((name, begin, end))
    return found


def _seconds(value: float) -> str:
    return "" if value == WHOLE[1] else repr(float(value))


def require_label(text: str) -> str:
    """Return a label without spaces around it, if every command can read it. Raises OptionError.

    Example:

        >>> require_label(" Ankle boot ")
        'Ankle boot'
        >>> try:
        ...     require_label("owl|wren")
        ... except OptionError as error:
        ...     print(error)
        label: got owl|wren, expected one class: "|" separates several; choose another name
    """
    label = unicodedata.normalize("NFC", " ".join(text.split()))
    if MARK in label:
        expected = f'one class: "{MARK}" separates several'
        raise OptionError("label", got=label[:MOST], expected=expected, do="choose another name")
    if not label or len(label) > MOST or not label.isprintable():
        got = f"{len(label)} letters" if label else "nothing"
        do = "choose another name"
        raise OptionError("label", got=got, expected=f"1 to {MOST} printable letters", do=do)
    return label
