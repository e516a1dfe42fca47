"""Packing into Parquet: a folder with a file for each part, which `datasets` and kakera read."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from kakera.data.packing.job import PackingJob
from kakera.data.packing.parquet import FOLDER, rows_in, table_pieces, write_table
from kakera.data.packing.result import UNREADABLE
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.progress import Progress
from kakera.storage import write_atomically

PLAN = ".packing.json"


def pack_tables(job: PackingJob, options: dict[str, Any]) -> tuple[int, int, int, list[UnreadableFileError]]:
    """Write the Parquet files of a data set that an earlier call has not finished.

    Return the number of rows, the number of files that were there before, the size of all in bytes, and the
    unreadable files. Raises DataError for a folder with other files, and without a readable file; OptionError
    for one of other data; StorageError. See `kakera.data.packing.pack.pack`.
    """
    _begin(job, options)
    pieces, broken = table_pieces(job), list[UnreadableFileError]()
    todo = [piece for piece in pieces if rows_in(piece.path) != len(piece.rows)]  # unreadable files: again
    with Progress("pack", total=sum(len(piece.rows) for piece in todo), kind=job.dataset.kind) as progress:
        for piece in todo:
            broken += write_table(job, piece, progress)
    count = sum(rows_in(piece.path) for piece in pieces)
    if not count:
        got = f"{len(broken)} unreadable files ({broken[0] if broken else 'none'})"
        expected, do = "at least one readable file", "check the files"
        raise DataError(job.dataset.name, got=got, expected=expected, do=do)
    if broken:
        text = io.StringIO()
        csv.writer(text).writerows([("file", "reason"), *sorted((one.path, one.reason) for one in broken)])
        write_atomically(job.folder / UNREADABLE, text.getvalue().encode())
    return count, len(pieces) - len(todo), sum(piece.path.stat().st_size for piece in pieces), broken


def _begin(job: PackingJob, options: dict[str, Any]) -> None:
    plan = job.folder / PLAN
    if not plan.exists():
        if any(not path.name.startswith(".") for path in job.folder.iterdir()):
            got, do = "a folder with other files", "choose another"
            raise DataError(str(job.folder), got=got, expected="a new or empty folder", do=do)
        write_atomically(plan, json.dumps(options).encode())
        return
    try:
        same = json.loads(plan.read_bytes()) == json.loads(json.dumps(options))
    except ValueError:
        same = False
    if not same:
        got, do = "tables of other data or options", "choose another folder, or delete this one"
        raise OptionError(str(job.folder), got=got, expected="the same as before", do=do)
    for path in (job.folder / FOLDER).glob(".*"):  # of a killed process
        path.unlink(missing_ok=True)
