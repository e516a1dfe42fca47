"""Open a data set in any form; the form is detected from the files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import numpy as np

from kakera.data.arrow.files import is_tables
from kakera.data.arrow.hub import is_hub_name
from kakera.data.arrow.open import open_tables
from kakera.data.dataset import Dataset
from kakera.data.folders.media import SUFFIXES, Kind
from kakera.data.folders.tree import suffix_of, tree
from kakera.data.images.value_range import Ranges
from kakera.data.shards.open import is_shards, open_shards
from kakera.data.sources.builtin import open_builtin
from kakera.data.sources.folder import open_folder
from kakera.data.sources.idx import find_images, is_idx, open_idx
from kakera.data.sources.measured_range import measured
from kakera.data.sources.npz import open_npz
from kakera.data.sources.numbers import LearningTask, with_task
from kakera.data.sources.table import open_table
from kakera.data.split import stratified
from kakera.errors import DataError, OptionError, printable

TABLES = (".csv", ".tsv")


def open_dataset(
    source: str | Path,
    *,
    channels: int | None = None,
    seed: int = 0,
    val: float = 0.0,
    test: float = 0.2,
    kind: Kind = "any",
    ranges: Ranges = (),
    task: LearningTask = "classification",
    target_column: str = "",
) -> Dataset:
    """Open a data set: a folder, a table, Parquet, a file of arrays, shards, or a built-in name.

    `source` is a folder of pictures or recordings, a table (CSV or TSV), IDX files, an .npz file, or a name
    such as demo. Parquet is a file, or a folder of files, with encoded pictures or recordings in a column; a
    data set that `datasets` saved, and hf://datasets/OWNER/NAME on the Hugging Face hub, are read in the same
    way. Shards are a folder of shards, tar files, or their
    web address. Write ./demo for a folder that has the name of a built-in data set.

    `channels` is 1 (grey) or 3 (colour); None detects it. If the source has no split, the labelled files are
    split by class: `val` and `test` are shares from 0 to 1, drawn with `seed`. `kind` is "pictures" or
    "recordings" if a folder or table has both; "any" takes the kind of most files. `ranges` gives the values
    of black and white of deep pictures; ranges that are not passed are measured.

    `task` is "classification" (labels are classes) or "regression" (labels are numbers to predict); "auto" is
    regression for floating-point labels of an .npz file, or if `target_column` is given. `target_column` is
    the column of a table with the labels; by default label, class or a similar one. Raises DataError,
    OptionError.

    Example:

        >>> dataset = open_dataset("demo")
        >>> dataset.kind, dataset.channels, len(dataset.classes)
        ('pictures', 1, 10)
        >>> dataset.pictures.read(0).shape
        (28, 28, 1)
    """
    dataset, divided = open_source(source, channels, kind, ranges, task=task, target_column=target_column)
    dataset = with_task(dataset, task, target_column)
    if divided or dataset.labels is None or len(dataset) < 2:
        return dataset
    codes = stratified(dataset.labels, {"val": val, "test": test}, seed)
    return replace(dataset, split=np.asarray(codes))


def open_source(
    source: str | Path,
    channels: int | None = None,
    kind: Kind = "any",
    ranges: Ranges = (),
    *,
    task: LearningTask = "classification",
    target_column: str = "",
) -> tuple[Dataset, bool]:
    """Open a data set as it is; also return True if it has a split, else every file is "train".

    Arguments are as in `open_dataset`; `with_task` makes numbers of classes. Raises DataError, OptionError.

    Example:

        >>> dataset, has_split = open_source("demo", channels=3)
        >>> dataset.channels, has_split
        (3, True)
    """
    if kind not in get_args(Kind):
        raise DataError("kind", got=kind, expected=", ".join(get_args(Kind)), do="choose one")
    if not isinstance(cast(object, source), str | os.PathLike):
        got, expected = f"a value of type {type(source).__name__}", "a path, an address or a name"
        raise DataError("data", got=got, expected=expected, do="pass one of these")
    if target_column and Path(source).suffix.lower() not in TABLES and not _has_columns(source):
        got, do = f"{target_column} for {source}", "leave it out, or pass a table with file and this column"
        raise OptionError("target_column", got=got, expected="a table (.csv, .tsv or .parquet)", do=do)
    built_in = open_builtin(source) if isinstance(source, str) else None
    if built_in is not None:
        return built_in.with_channels(channels or built_in.channels), True
    if is_hub_name(source):
        dataset, divided = open_tables(source, channels, kind, target_column)
    elif is_shards(source):
        dataset, divided = open_shards(source, channels)
    else:
        numbers = task != "classification"
        dataset, divided = _open(Path(source), channels, kind, target_column, numbers=numbers)
    if kind not in ("any", dataset.kind):
        raise DataError(dataset.name, got=dataset.kind, expected=kind, do="leave out --kind")
    known = {kind for kind, *_ in ranges}
    found = (*ranges, *(one for one in measured(dataset) if one[0] not in known))
    return dataset.with_channels(channels or dataset.channels).with_ranges(found), divided


def _has_columns(source: str | Path) -> bool:
    return is_hub_name(source) or is_tables(Path(source))


def _open(
    path: Path, channels: int | None, kind: Kind, column: str, *, numbers: bool
) -> tuple[Dataset, bool]:
    if path.exists() and is_tables(path):
        return open_tables(path, channels, kind, column)
    if path.is_dir():
        images = find_images(path)
        return _idx_folder(path, images) if images else open_folder(path, channels, kind)
    if not path.is_file():
        raise _error(path, "no such file or folder", "a folder, a table, IDX, .npz or .tar files, or demo")
    if path.suffix.lower() in TABLES:
        return open_table(path, channels, kind, column)
    if path.suffix.lower() == ".npz":
        return open_npz(path, numbers=numbers)
    if is_idx(path):
        return open_idx([path], str(path))
    raise _error(
        path,
        "an unsupported kind of file",
        "a .csv, .tsv, .parquet, .npz or IDX file, or a folder of pictures or recordings",
    )


def _idx_folder(folder: Path, images: list[Path]) -> tuple[Dataset, bool]:
    dataset, divided = open_idx(images, str(folder))
    beside = [name for name in tree(folder).names if suffix_of(name) in SUFFIXES]
    left = [
        (printable(f"{folder}/{name}"), "the IDX files in this folder are read instead")
        for name in sorted(beside)
    ]
    return replace(dataset, left_out=tuple(left)), divided


def _error(path: Path, got: str, expected: str) -> DataError:
    return DataError(str(path), got=got, expected=expected, do="check the path")
