"""Pack pictures or recordings into shards, as bounded pixels or as files, in parallel and resumable."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from kakera.data.arrow.tables import pyarrow
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind
from kakera.data.packing.job import PackingJob, Store, packing_options, require
from kakera.data.packing.pack_tables import pack_tables
from kakera.data.packing.parquet import table_pieces
from kakera.data.packing.result import UNREADABLE, PackResult
from kakera.data.packing.workers import pack_shards
from kakera.data.shards.index import SUFFIX, VERSION, ShardIndex, read_index
from kakera.data.shards.open import CONTENTS, PLAN
from kakera.data.sources.open import open_source
from kakera.errors import DataError, OptionError
from kakera.machine import usable_cores
from kakera.option_fields import AUTO, Auto, or_none
from kakera.out_of_memory import memory_for
from kakera.storage import write_atomically

SIDE = 256
SHARD_SIZE = 2000
Target = Literal["shards", "parquet"]
_LEFTOVER = re.compile(r"\.\d{6}(\.tar|\.index\.npz)\.[0-9a-f]{8}")


@memory_for("pack", "lower --workers or --shard-size")
def pack(
    data: str | Path | Dataset,
    shards: str | Path,
    *,
    side: int | None = None,
    store: Store | None = None,
    shard_size: int = SHARD_SIZE,
    workers: int | Auto = "auto",
    channels: int | Auto = "auto",
    kind: Kind = "any",
    to: Target = "shards",
) -> PackResult:
    """Write a data set into a folder of shards, which kakera and webdataset can open, or of Parquet files.

    `data` is a data set, or anything that `open_dataset` opens; `shards` is the folder to write.

    `side` bounds the shorter side of the stored pixels (default 256; 0 keeps the original size). `store` is
    "pixels" (default) or "files", which stores the bytes of the files. Recordings are always stored as files;
    a span of a recording is stored as a WAV file with exactly its samples. `shard_size` is the number of
    pictures or recordings per shard. `workers` is the number of processes; "auto" is one per core, 0 writes
    in this process. `channels` is 1 (grey) or 3 (colour); "auto" detects it. `kind` is "pictures" or
    "recordings" if the data have both. `to` "parquet" writes the files, in the order of the data, with labels
    as `datasets` reads them (arrays as PNG); `shard_size` is then the number of rows per file.

    The shards that an interrupted earlier call has finished are checked and reused. Raises DataError,
    OptionError, StorageError, MissingExtraError.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> result = pack(open_dataset("demo").take([0, 1, 2]), "shards", shard_size=2, workers=0)
        >>> result.count, result.shards, sorted(path.name for path in Path("shards").glob("*.tar"))
        (3, 2, ['000000.tar', '000001.tar'])
    """
    opened = isinstance(data, Dataset)
    dataset, divided = (data, True) if opened else open_source(data, or_none(channels), kind)
    processes = usable_cores() if workers == AUTO else workers
    tables = _to_tables(to, store, side)
    require(dataset, side, None if tables else store, shard_size, processes)
    files = tables or store == "files" or dataset.sounds is not None
    job = PackingJob(
        dataset,
        Path(shards),
        divided=divided,
        side=0 if files else SIDE if side is None else side,
        files=files,
        shard_size=shard_size,
    )
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(job.folder / ".lock", timeout=10):
            return _pack_tables(job) if tables else _pack(job, processes)
    except Timeout as error:
        got = "a folder that another kakera pack is writing"
        raise DataError(
            str(shards), got=got, expected="one kakera pack at a time", do="wait until it ends"
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        expected = "a folder for the shards"
        raise DataError(str(shards), got="a file", expected=expected, do="choose another path") from error


def _to_tables(to: str, store: str | None, side: int | None) -> bool:
    """Return True for Parquet. Raises OptionError, and MissingExtraError without pyarrow."""
    if to not in get_args(Target):
        raise OptionError("--to", got=to, expected="shards or parquet", do="choose one")
    if to == "parquet":
        if store == "pixels":
            got, expected = "pixels with --to parquet", "files: a table has encoded files"
            raise OptionError("--store", got=got, expected=expected, do="leave it out")
        if side is not None:
            got, expected = f"{side} with --to parquet", "nothing: files are not changed"
            raise OptionError("--side", got=got, expected=expected, do="leave it out")
        pyarrow()
    return to == "parquet"


def _pack_tables(job: PackingJob) -> PackResult:
    count, kept, size, broken = pack_tables(job, {"to": "parquet", **packing_options(job)})
    errors = (*job.dataset.unreadable, *broken)
    unreadable = tuple(sorted((error.path, error.reason) for error in errors))
    files, left = len(table_pieces(job)), job.dataset.left_out
    kind = job.dataset.kind
    return PackResult(job.folder, kind, count, files, kept, size, unreadable, left, "Parquet file")


def _pack(job: PackingJob, workers: int) -> PackResult:
    options = packing_options(job)
    _begin(job.folder, options)
    finished = [number for number in range(job.count) if _whole(job.folder, number) is not None]
    todo = sorted({*range(job.count)} - {*finished})
    if todo:
        pack_shards(job, todo, max(1, min(workers, len(todo))))
    indexes = [_whole(job.folder, number, trusted=number in todo) for number in range(job.count)]
    return _conclude(job, options, indexes, len(finished))


def _conclude(
    job: PackingJob, options: dict[str, Any], indexes: list[ShardIndex | None], kept: int
) -> PackResult:
    """Write the list of unreadable files, and last the table of contents."""
    rows: list[dict[str, Any]] = []
    unreadable: list[tuple[str, str]] = [(error.path, error.reason) for error in job.dataset.unreadable]
    for number, index in enumerate(indexes):
        if index is None:
            path = str(job.folder / job.title(number))
            raise DataError(path, got="a damaged shard", expected="a whole one", do="check the disk")
        content = (job.folder / (job.stem(number) + SUFFIX)).read_bytes()
        rows.append(
            {
                "file": job.title(number),
                "count": len(index.records),
                "bytes": index.size,
                "sha256": index.facts["sha256"],
                "index_sha256": hashlib.sha256(content).hexdigest(),
            }
        )
        unreadable += [(path, reason) for path, reason in index.facts["unreadable"]]
    count = sum(row["count"] for row in rows)
    if not count:
        got = f"{len(unreadable)} unreadable files ({unreadable[0][1] if unreadable else 'none'})"
        raise DataError(
            job.dataset.name, got=got, expected="at least one readable file", do="check the files"
        )
    if unreadable:
        text = io.StringIO()
        csv.writer(text).writerows([("file", "reason"), *sorted(unreadable)])
        write_atomically(job.folder / UNREADABLE, text.getvalue().encode())
    facts = {
        "version": VERSION,
        job.dataset.kind: count,
        "channels": job.dataset.channels,
        "classes": job.dataset.classes,
        "divided": job.divided,
        "options": options,
        "shards": rows,
    }
    write_atomically(job.folder / CONTENTS, json.dumps(facts, indent=1, ensure_ascii=False).encode())
    size = sum(row["bytes"] for row in rows)
    return PackResult(
        job.folder,
        job.dataset.kind,
        count,
        job.count,
        kept,
        size,
        tuple(sorted(unreadable)),
        job.dataset.left_out,
    )


def _begin(folder: Path, options: dict[str, Any]) -> None:
    """Claim a folder that is empty or was started with the same options. Raises DataError, OptionError."""
    plan = folder / PLAN
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name):  # of a killed process: the lock excludes any other process
            path.unlink(missing_ok=True)
    if not plan.exists():
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            expected = "a new or empty folder"
            raise DataError(
                str(folder), got="a folder with other files", expected=expected, do="choose another"
            )
        write_atomically(plan, json.dumps(options, indent=1).encode())
        return
    try:
        before: Any = json.loads(plan.read_bytes())
    except ValueError:
        before = None
    if before != options:
        names = [
            name for name in options if not isinstance(before, dict) or before.get(name) != options[name]
        ]
        raise OptionError(
            str(folder),
            got=f"shards packed with another {', '.join(names).replace('source_sha256', 'source')}",
            expected="the same data and options",
            do="choose another folder, or delete this one",
        )


def _whole(folder: Path, number: int, *, trusted: bool = False) -> ShardIndex | None:
    """Return the index of a finished shard; None if the index or the shard's size or checksum is wrong."""
    tar = folder / f"{number:06d}.tar"
    path = tar.with_suffix(SUFFIX)
    try:
        index = read_index(path.read_bytes(), path)
        if tar.stat().st_size != index.size:
            return None
        if not trusted:
            with tar.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != index.facts["sha256"]:
                    return None
    except (OSError, DataError, KeyError):
        return None
    return index
