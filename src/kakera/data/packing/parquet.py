"""Parquet files of a data set, with encoded files and labels in the form that `datasets` reads."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.arrow.tables import pyarrow
from kakera.data.dataset import PARTS, Dataset
from kakera.data.packing.job import PackingJob
from kakera.errors import UnreadableFileError
from kakera.progress import Progress
from kakera.storage import whole_file

NAMES = {"train": "train", "val": "validation", "test": "test"}  # of the parts, in datasets
GROUP = 100  # rows of a row group, which is read at once
FOLDER = "data"  # of the Parquet files, as in repositories of the hub


@dataclass(frozen=True)
class TablePiece:
    """The rows of one Parquet file, and its path. See `table_pieces`."""

    path: Path
    rows: NDArray[np.int64]


def table_pieces(job: PackingJob) -> list[TablePiece]:
    """Return the Parquet files of a data set: its parts, in files of `shard_size` rows, in order.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> five = open_dataset("demo").part("train").take(range(5))
        >>> job = PackingJob(five, Path("out"), divided=True, side=0, files=True, shard_size=3)
        >>> [(piece.path.name, len(piece.rows)) for piece in table_pieces(job)]
        [('train-00000-of-00002.parquet', 3), ('train-00001-of-00002.parquet', 2)]
    """
    found, each = list[TablePiece](), job.shard_size
    split = job.dataset.split if job.divided else np.full(len(job.dataset), "train")
    for part in PARTS:
        rows = np.flatnonzero(split == part)
        count = -(-len(rows) // each)
        for number in range(count):
            name = f"{NAMES[part]}-{number:05d}-of-{count:05d}.parquet"
            piece = rows[number * each : (number + 1) * each]
            found.append(TablePiece(job.folder / FOLDER / name, piece))
    return found


def write_table(job: PackingJob, piece: TablePiece, progress: Progress) -> list[UnreadableFileError]:
    """Write a Parquet file, all of it or nothing; return the files that could not be read.

    Raises StorageError, and MissingExtraError without pyarrow. See `kakera.data.packing.pack.pack`.
    """
    arrow, parquet = pyarrow(), pyarrow("parquet")
    broken = list[UnreadableFileError]()
    schema = _schema(job.dataset)
    with whole_file(piece.path) as file, parquet.ParquetWriter(file, schema) as writer:
        rows = list[dict[str, Any]]()
        for row in piece.rows.tolist():
            try:
                rows.append({**_encoded(job, row), **_label(job.dataset, row)})
            except UnreadableFileError as error:
                broken.append(error)
            progress.advance(1)
            if len(rows) == GROUP:
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                rows.clear()
        if rows:
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
    return broken


def rows_in(path: Path) -> int:
    """Return the number of rows of a Parquet file; −1 for a missing or damaged one. See `write_table`."""
    try:
        return pyarrow("parquet").read_metadata(path).num_rows
    except (OSError, pyarrow().ArrowException):
        return -1


def _column(dataset: Dataset) -> str:
    return "image" if dataset.sounds is None else "audio"


def _schema(dataset: Dataset) -> Any:
    arrow, column = pyarrow(), _column(dataset)
    fields = [(column, arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())]))]
    features: dict[str, Any] = {column: {"_type": column.capitalize()}}
    classes = {"names": list(dataset.classes), "_type": "ClassLabel"}
    if dataset.regression:
        fields += [(name, arrow.float64()) for name in dataset.classes]
        features |= {name: {"dtype": "float64", "_type": "Value"} for name in dataset.classes}
    elif dataset.multi_label:
        fields.append(("label", arrow.list_(arrow.int64())))
        features["label"] = {"feature": classes, "_type": "List"}
    elif dataset.labels is not None:
        fields.append(("label", arrow.int64()))
        features["label"] = classes
    return arrow.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def _encoded(job: PackingJob, row: int) -> dict[str, Any]:
    """Return the bytes of a file, after it was decoded as a check; arrays become PNG."""
    dataset, name = job.dataset, job.name(row)
    if dataset.sounds is not None:
        content, suffix = dataset.sounds.file(row)
        name = name if name.lower().endswith(suffix) else name + suffix
    else:
        values = dataset.pictures.read(row)
        if dataset.pictures.has_file(row):
            content = dataset.pictures.content(row)
        else:
            content, name = _png(values), f"{name}.png"
    return {_column(dataset): {"bytes": content, "path": name.encode(errors="replace").decode()}}


def _png(values: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).save(file, "PNG")
    return file.getvalue()


def _label(dataset: Dataset, row: int) -> dict[str, Any]:
    if dataset.labels is None:
        return {}
    if dataset.regression:
        return dict(_numbers(dataset, row))
    if dataset.multi_label:
        return {"label": np.flatnonzero(dataset.labels[row]).tolist()}
    return {"label": int(dataset.labels[row])}


def _numbers(dataset: Dataset, row: int) -> Iterator[tuple[str, float | None]]:
    assert dataset.labels is not None
    for name, value in zip(dataset.classes, dataset.labels[row].tolist(), strict=True):
        yield name, None if np.isnan(value) else value
