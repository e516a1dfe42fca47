"""Open a data set, whatever form it comes in: the form is recognised by what is there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import numpy as np

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
from kakera.data.sources.table import open_table
from kakera.data.split import stratified
from kakera.errors import DataError, printable


def open_dataset(
    source: str | Path,
    *,
    channels: int | None = None,
    seed: int = 0,
    val: float = 0.0,
    test: float = 0.2,
    kind: Kind = "any",
    ranges: Ranges = (),
) -> Dataset:
    """A folder, a CSV or TSV table, IDX files, an .npz file, or a built-in name such as demo or fillets.

    Or shards: a folder of them, tar files, their address. A source that brings no split is split by class
    from the seed: `val` and `test` are shares of it. A folder that has the name of a built-in set is meant
    by ./name. `kind`, pictures or recordings, chooses where a folder or a table has both; any is the one
    that most files are. `ranges` say what is black and white of deep pictures; of other kinds that is
    measured. Raises DataError.
    """
    dataset, divided = open_source(source, channels, kind, ranges)
    if divided or dataset.labels is None or len(dataset) < 2:
        return dataset
    codes = stratified(dataset.labels, {"val": val, "test": test}, seed)
    return replace(dataset, split=np.asarray(codes))


def open_source(
    source: str | Path, channels: int | None = None, kind: Kind = "any", ranges: Ranges = ()
) -> tuple[Dataset, bool]:
    """The data set as it is, and whether it brings its split: else all is "train". Raises DataError."""
    if kind not in get_args(Kind):
        raise DataError("kind", got=kind, expected=", ".join(get_args(Kind)), do="choose one")
    if not isinstance(cast(object, source), str | os.PathLike):
        got, expected = f"a value of type {type(source).__name__}", "a path, an address or a name"
        raise DataError("data", got=got, expected=expected, do="give one of these")
    built_in = open_builtin(source) if isinstance(source, str) else None
    if built_in is not None:
        return built_in.with_channels(channels or built_in.channels), True
    if is_shards(source):
        dataset, divided = open_shards(source, channels)
    else:
        dataset, divided = _open(Path(source), channels, kind)
    if kind not in ("any", dataset.kind):
        raise DataError(dataset.name, got=dataset.kind, expected=kind, do="leave --kind out")
    known = {kind for kind, *_ in ranges}
    found = (*ranges, *(one for one in measured(dataset) if one[0] not in known))
    return dataset.with_channels(channels or dataset.channels).with_ranges(found), divided


def _open(path: Path, channels: int | None, kind: Kind) -> tuple[Dataset, bool]:
    if path.is_dir():
        images = find_images(path)
        return _idx_folder(path, images) if images else open_folder(path, channels, kind)
    if not path.is_file():
        raise _error(path, "nothing of this name", "a folder, a table, IDX, .npz or .tar files, or demo")
    if path.suffix.lower() in (".csv", ".tsv"):
        return open_table(path, channels, kind)
    if path.suffix.lower() == ".npz":
        return open_npz(path)
    if is_idx(path):
        return open_idx([path], str(path))
    raise _error(
        path,
        "a file of another kind",
        "a .csv, .tsv, .npz or IDX file, or a folder of pictures or recordings",
    )


def _idx_folder(folder: Path, images: list[Path]) -> tuple[Dataset, bool]:
    dataset, divided = open_idx(images, str(folder))
    beside = [name for name in tree(folder).names if suffix_of(name) in SUFFIXES]
    left = [(printable(f"{folder}/{name}"), "the IDX files beside are read") for name in sorted(beside)]
    return replace(dataset, left_out=tuple(left)), divided


def _error(path: Path, got: str, expected: str) -> DataError:
    return DataError(str(path), got=got, expected=expected, do="check the path")
