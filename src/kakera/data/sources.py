"""Open a data set, whatever form it comes in: the form is recognised by what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from kakera.data import audio
from kakera.data.builtin import open_builtin
from kakera.data.channels import with_channels
from kakera.data.dataset import ArrayPictures, Dataset, FilePictures
from kakera.data.folder import open_folder, pictures_below
from kakera.data.idx import find_images, is_idx, open_idx
from kakera.data.media import files_below
from kakera.data.npz import open_npz
from kakera.data.shard_source import is_shards, open_shards
from kakera.data.sounds import FileSounds, Sounds
from kakera.data.split import stratified
from kakera.data.table import open_table
from kakera.errors import DataError, sentence
from kakera.sound.spec import SoundSpec


def open_dataset(
    source: str | Path, *, channels: int | None = None, seed: int = 0, val: float = 0.0, test: float = 0.2
) -> Dataset:
    """A folder, a CSV or TSV table, IDX files, an .npz file, or a built-in name such as demo or fillets.

    Or shards: a folder of them, tar files, their address. A source that brings no split is split by class
    from the seed: `val` and `test` are shares of it. A folder that has the name of a built-in set is meant
    by ./name. Raises DataError.
    """
    dataset, divided = open_source(source, channels)
    if divided or dataset.labels is None or len(dataset) < 2:
        return dataset
    codes = stratified(dataset.labels, {"val": val, "test": test}, seed)
    return replace(dataset, split=np.asarray(codes))


def open_source(source: str | Path, channels: int | None = None) -> tuple[Dataset, bool]:
    """The data set as it is, and whether it brings its split: else all is "train". Raises DataError."""
    built_in = open_builtin(source) if isinstance(source, str) else None
    if built_in is not None:
        return with_channels(built_in, channels or built_in.channels), True
    dataset, divided = open_shards(source, channels) if is_shards(source) else _open(Path(source), channels)
    return with_channels(dataset, channels or dataset.channels), divided


def open_pictures(files: Sequence[str | Path], channels: int) -> Dataset:
    """Pictures to look at, in the order given: files, and all pictures below folders.

    Shards alone mean all that is in them, the name of a built-in data set alone `samples` of it. A file is
    not opened before it is read. Raises DataError where a folder holds no picture.
    """
    found = _data_set(files)
    if found is not None:
        if found.sounds is not None:
            expected = "pictures, as the model's"
            raise DataError(sentence(found.name, got="recordings", expected=expected, do="name other files"))
        return with_channels(found, channels)
    paths = [path for file in files for path in _expand(Path(file), "picture")]
    return Dataset("pictures", FilePictures(paths, channels), channels, np.full(len(paths), "test"))


def open_recordings(files: Sequence[str | Path], spec: SoundSpec) -> Dataset:
    """Recordings to listen to, in the order given: as `open_pictures`. Raises DataError."""
    found = _data_set(files)
    if found is not None:
        return replace(found, pictures=_recordings(found).heard(spec))
    paths = [path for file in files for path in _expand(Path(file), "recording")]
    return Dataset("recordings", FileSounds(paths, spec), 1, np.full(len(paths), "test"))


def _data_set(files: Sequence[str | Path]) -> Dataset | None:
    """What one name means that is not a file's or a folder's of files."""
    if len(files) != 1:
        return None
    built_in = open_builtin(files[0]) if isinstance(files[0], str) else None
    if built_in is not None:
        return samples(built_in)
    return open_shards(files[0], None)[0] if is_shards(files[0]) else None


def _recordings(dataset: Dataset) -> Sounds:
    if dataset.sounds is None:
        raise DataError(
            sentence(
                dataset.name, got="pictures", expected="recordings, as the model's", do="name other files"
            )
        )
    return dataset.sounds


def samples(dataset: Dataset) -> Dataset:
    """The first test picture of each class, named after it; `dataset` has one label a picture."""
    test = dataset.part("test")
    labels = np.asarray(test.labels)
    first = test.take([int(np.flatnonzero(labels == number)[0]) for number in range(len(test.classes))])
    if first.sounds is not None:
        return first
    return replace(
        first, pictures=ArrayPictures([*map(first.pictures.read, range(len(first)))], test.classes)
    )


def _expand(path: Path, kind: Literal["picture", "recording"]) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = pictures_below(path) if kind == "picture" else files_below(path, audio.SUFFIXES)
    if not found:
        raise DataError(sentence(str(path), got=f"no {kind}", expected="some", do="name another folder"))
    return found


def _open(path: Path, channels: int | None) -> tuple[Dataset, bool]:
    if path.is_dir():
        images = find_images(path)
        return open_idx(images, str(path)) if images else open_folder(path, channels)
    if not path.is_file():
        raise _error(path, "nothing of this name", "a folder, a table, IDX, .npz or .tar files, or demo")
    if path.suffix.lower() in (".csv", ".tsv"):
        return open_table(path, channels)
    if path.suffix.lower() == ".npz":
        return open_npz(path)
    if is_idx(path):
        return open_idx([path], str(path))
    raise _error(
        path,
        "a file of another kind",
        "a .csv, .tsv, .npz or IDX file, or a folder of pictures or recordings",
    )


def _error(path: Path, got: str, expected: str) -> DataError:
    return DataError(sentence(str(path), got=got, expected=expected, do="check the path"))
