"""The labels and parts in the columns of tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.arrow.tables import Table
from kakera.data.folders.part_names import part_of
from kakera.data.names import natural
from kakera.errors import DataError

MOST = 100_000  # numbers of classes up to which those between them are classes too


def labels_of(tables: Sequence[Table]) -> tuple[tuple[str, ...], NDArray[Any] | None]:
    """Return the classes of tables, and their labels as in `Dataset`; ((), None) without labels.

    Numbers of classes that have names keep their order. Other labels are classes by their text: numbers in
    their order, with those between them; texts sorted. A list is several labels. Null, an empty text and −1
    are no label. Raises DataError for a label that is none of the named classes, and for other values. See
    `open_tables`.
    """
    values = [_values(table) for table in tables]
    rows = [_names(table, one) for table, own in zip(tables, values, strict=True) for one in own]
    given = list(dict.fromkeys(name for row in rows for name in row))
    described = {table.columns.names for table in tables if table.columns.names}
    if len(described) == 1:
        (classes,) = described
    else:
        classes = _sorted(given)
    if not classes:
        return (), None
    number = {name: code for code, name in enumerate(classes)}
    for name in given:
        if name not in number:
            raise _without_name(tables, name)
    several = any(isinstance(one, list) for own in values for one in own)
    if not several and max(map(len, rows), default=0) <= 1:
        return classes, np.array([number[row[0]] if row else -1 for row in rows], np.int64)
    labels = np.zeros((len(rows), len(classes)), np.bool_)
    for marks, row in zip(labels, rows, strict=True):
        marks[[number[name] for name in row]] = True
    return classes, labels


def _values(table: Table) -> list[Any]:
    label = table.columns.label
    return table.values(label) if label else [None] * len(table)


def _names(table: Table, value: Any) -> list[str]:
    """Return the names of the classes of one row."""
    values = value if isinstance(value, list) else [value]
    return [name for one in values for name in _name(table, one)]


def _name(table: Table, value: Any) -> Iterator[str]:
    names = table.columns.names
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas writes whole numbers with gaps as floats
    if isinstance(value, int) and not isinstance(value, bool):
        if value == -1:
            return
        if names and not 0 <= value < len(names):
            raise _wrong(table, value, f"a number from 0 to {len(names) - 1}, of the named classes")
        yield names[value] if names else str(value)
    elif isinstance(value, str | bool):
        yield str(value)
    elif isinstance(value, float):
        if math.isinf(value):
            raise _wrong(table, value, "a finite number")
        yield repr(value)
    else:
        raise _wrong(table, type(value).__name__, "a text, a number, or a list of them")


def _sorted(names: Sequence[str]) -> tuple[str, ...]:
    """Return classes in order; numbers get the numbers between them."""
    if names and all(name.isascii() and name.isdecimal() and len(name) < 6 for name in names):
        return tuple(map(str, range(1 + max(map(int, names)))))
    return tuple(sorted(names, key=natural))


def _without_name(tables: Sequence[Table], name: str) -> DataError:
    """Return the error for a label that is none of the classes that a table names."""
    named = next(table for table in tables if table.columns.names)
    found = next(table for table in tables if any(name in _names(table, one) for one in _values(table)))
    classes = named.columns.names
    shown = ", ".join(classes[:5]) + (" …" if len(classes) > 5 else "")
    beside = "" if found is named else f" (the names in {named.path})"
    return _wrong(found, name, f"one of the named classes {shown}{beside}")


def _wrong(table: Table, got: object, expected: str) -> DataError:
    place = f"{table.path}, column {table.columns.label}"
    return DataError(place, got=got, expected=expected, do="correct the table, or choose --target-column")


def split_of(tables: Sequence[Table]) -> NDArray[np.str_] | None:
    """Return the part of each row (n,) by the column of parts; None if no table has one.

    A row without a part is "train". Raises DataError for other words. See `open_tables`.
    """
    if not any(table.columns.split for table in tables):
        return None
    found = list[str]()
    for table in tables:
        column = table.columns.split
        for value in table.values(column) if column else [None] * len(table):
            part = part_of(str(value)) if value not in (None, "") else "train"
            if part is None:
                place = f"{table.path}, column {column}"
                raise DataError(place, got=value, expected="train, val or test", do="correct the table")
            found.append(part)
    return np.array(found)
