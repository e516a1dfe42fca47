"""The table of `kakera curate --apply`: the files that are kept, with label and part."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kakera.data.audio.decode import WHOLE
from kakera.data.dataset import Dataset
from kakera.errors import DataError, OptionError
from kakera.reports.tables import write_csv

HEADER, SPAN = ("file", "label", "part"), ("start", "end")


def require_table(path: str | Path, dataset: Dataset) -> Path:
    """Return the path of a table for `--apply`.

    Raises OptionError for another suffix and for a file that is no such table or is the data set itself, and
    DataError for data that have no file for each sample, or several numbers to predict.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> try:
        ...     require_table("clean.csv", open_dataset("demo"))
        ... except DataError as error:
        ...     print(str(error).partition(", expected")[0])
        demo: got samples that are no files of their own
    """
    found = Path(path)
    if found.suffix.lower() != ".csv" or found.is_dir():
        raise OptionError("apply", got=path, expected="a .csv file", do="choose another name")
    if found.exists() and (not _is_own(found) or found.resolve() == Path(dataset.name).resolve()):
        expected = "a new file, or a table of kakera curate"
        raise OptionError("apply", got=f"{path}, which exists", expected=expected, do="choose another name")
    own = [isinstance(place, str | os.PathLike) for place in (dataset.pictures.paths or [None])[:1]]
    if not all(own):
        got, expected = "samples that are no files of their own", "a folder or a table of files"
        raise DataError(dataset.name, got=got, expected=expected, do="leave out --apply")
    if dataset.regression and len(dataset.classes) > 1:
        got = f"{len(dataset.classes)} numbers to predict"
        raise DataError(dataset.name, got=got, expected="one, for a table", do="leave out --apply")
    return found


def _is_own(path: Path) -> bool:
    """Return True if a file has the header of a table of this command."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(100).rstrip("\n") in (",".join(HEADER), ",".join((*HEADER, *SPAN)))
    except (OSError, ValueError):
        return False


def write_table(
    path: Path,
    dataset: Dataset,
    labels: Sequence[str],
    dropped: Sequence[int],
    relabelled: Mapping[int, str],
) -> tuple[int, int]:
    """Write the table; return the number of its files, and of the labels that were replaced.

    `labels` are those of the files as text, `dropped` the rows to leave out, `relabelled` new labels by row.
    Paths are relative to the table. Raises StorageError.
    """
    left, sounds = set(dropped), dataset.sounds
    spans = sounds.spans if sounds is not None else ()
    divided = any(tuple(span) != WHOLE for span in spans)
    start, rows, changed = path.resolve().parent, list[tuple[object, ...]](), 0
    for row in range(len(dataset)):
        if row in left:
            continue
        changed += row in relabelled
        name = os.path.relpath(Path(dataset.pictures.paths[row]).resolve(), start)
        cells = name, relabelled.get(row, labels[row]), str(dataset.split[row])
        rows.append((*cells, *(_seconds(value) for value in spans[row])) if divided else cells)
    write_csv(path, (*HEADER, *(SPAN if divided else ())), rows)
    return len(rows), changed


def _seconds(value: float) -> str:
    return repr(float(value)) if value not in WHOLE[1:] else ""
