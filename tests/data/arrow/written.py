"""Tables as pandas, pyarrow and `datasets` write them, from a folder of classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kakera.data.dataset import Dataset

ENCODED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def rows_of(data: Dataset) -> tuple[list[Path], list[str]]:
    """The files of a class folder in kakera's order, and their classes."""
    paths = [Path(path) for path in data.pictures.paths]
    return paths, [path.parent.name for path in paths]


def described(
    paths: Sequence[Path], labels: Sequence[str], classes: Sequence[str], kind: str = "image"
) -> pa.Table:
    """A table as `datasets` 5.2.0 writes it: bytes and path, numbers of classes, and their description."""
    files = pa.array([{"bytes": path.read_bytes(), "path": path.name} for path in paths], ENCODED)
    numbers = pa.array([classes.index(label) for label in labels], pa.int64())
    features: dict[str, Any] = {kind: {"_type": kind.capitalize()}}
    features["label"] = {"names": list(classes), "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table({kind: files, "label": numbers}).replace_schema_metadata(metadata)


def saved(folder: Path, table: pa.Table, split: str = "train", files: int = 1) -> Path:
    """A folder as `Dataset.save_to_disk` writes it."""
    folder.mkdir(parents=True)
    names = [f"data-{number:05d}-of-{files:05d}.arrow" for number in range(files)]
    each = -(-len(table) // files)
    for number, name in enumerate(names):
        part = table.slice(number * each, each)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part, max_chunksize=7)
    state = {"_data_files": [{"filename": name} for name in names], "_split": split}
    (folder / "state.json").write_text(json.dumps(state))
    info = json.loads(table.schema.metadata[b"huggingface"])["info"]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def parquet(path: Path, table: pa.Table, group: int = 7) -> Path:
    """A Parquet file with row groups of `group` rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path
