"""The rows of a table: what each says of a file, and that no two contradict each other."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kakera.data.columns import columns_of, ignored
from kakera.errors import DataError, sentence


@dataclass(frozen=True)
class Row:
    """What a row says; empty where it says nothing."""

    line: int
    file: str
    labels: list[str]
    split: str
    start: str
    end: str
    columns: dict[str, str]
    """How the columns are called in the table."""


def rows_of(table: Path) -> tuple[list[Row], list[int], list[str]]:
    """Return the rows, the numbers of the lines that name no file, and the columns that are not used.

    Raises DataError for a table that cannot be read, or has no rows.
    """
    found: list[Row] = []
    without: list[int] = []
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(
                file, dialect="excel-tab" if table.suffix.lower() == ".tsv" else "excel", strict=True
            )
            header = next((cells for cells in reader if cells), [])
            columns = columns_of(table, header)
            called = {meaning: header[number] for meaning, number in columns.items()}
            for cells in reader:
                if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
                    got = f"{len(cells)} cells in line {reader.line_num}"
                    raise _error(table, got, f"{len(header)}, as in the header, or quotes around commas")
                said = {
                    meaning: cells[number] if number < len(cells) else ""
                    for meaning, number in columns.items()
                }
                if said["file"].strip():
                    found.append(_row(reader.line_num, said, called))
                elif any(cell.strip() for cell in cells):
                    without.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise _error(table, f"a table that cannot be read ({error})", "UTF-8 with a header") from error
    if not found:
        raise _error(table, "no rows", "one for each file")
    return found, without, ignored(header, {*columns.values()})


def _row(line: int, said: dict[str, str], called: dict[str, str]) -> Row:
    words = [unicodedata.normalize("NFC", word.strip()) for word in said.get("label", "").split("|")]
    split, start, end = (said.get(name, "").strip() for name in ("split", "start", "end"))
    return Row(line, said["file"], [word for word in words if word], split, start, end, called)


def require_once(
    table: Path,
    rows: Sequence[Row],
    paths: Sequence[Path],
    identities: Sequence[Hashable],
    parts: Sequence[str],
) -> None:
    """Raises DataError where rows say the same file again: with other labels, in another part, or at all.

    `identities` tell which file, and which span of it, a row means, however its path is written. Equal files
    under other names, such as hard links, may be of one part and label.
    """
    first: dict[Hashable, int] = {}
    for number, identity in enumerate(identities):
        other = first.setdefault(identity, number)
        if other == number:
            continue
        one, two = rows[other], rows[number]
        where = f"(lines {one.line} and {two.line})"
        names = one.file if one.file == two.file else f"{one.file} and {two.file}, one file,"
        if set(one.labels) != set(two.labels):
            labels = " and ".join("|".join(row.labels) or "none" for row in (one, two))
            expected = "each file once, several labels joined by |"
            raise _error(table, f"{names} more than once, with labels {labels} {where}", expected)
        if parts[other] != parts[number]:
            got = f"{names} more than once, in {parts[other]} and in {parts[number]} {where}"
            raise _error(table, got, "each file in one part")
        if os.path.realpath(paths[other]) == os.path.realpath(paths[number]):
            expected = "each file once, several labels joined by |"
            raise _error(table, f"{names} more than once {where}", expected)


def _error(table: Path, got: str, expected: str) -> DataError:
    return DataError(sentence(str(table), got=got, expected=expected, do="correct the table"))
