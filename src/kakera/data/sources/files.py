"""Files to look at or to listen to, and whatever stands for them, as a data set in the order given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kakera.data.audio import decode
from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import Dataset
from kakera.data.folders.media import files_below, left_below
from kakera.data.folders.tree import left_lines
from kakera.data.holders import ArrayPictures, FilePictures
from kakera.data.images.value_range import Ranges
from kakera.data.pictures import Pictures
from kakera.data.shards.open import is_shards, open_shards
from kakera.data.sounds import Sounds
from kakera.data.sources.builtin import open_builtin
from kakera.data.sources.folder import pictures_below
from kakera.data.sources.items import Files, items, picture, recording
from kakera.data.sources.joined import MemoryPictures, joined
from kakera.data.sources.measured_range import completed
from kakera.errors import DataError
from kakera.inputs import InputSpec
from kakera.sound.spec import SoundSpec


def open_files(files: Files, inputs: InputSpec) -> Dataset:
    """Open files of the kind that a model takes in: see `open_pictures` and `open_recordings`."""
    if inputs.sound is not None:
        return open_recordings(files, inputs.sound)
    return open_pictures(files, inputs.channels, inputs.values)


def open_pictures(files: Files, channels: int, ranges: Ranges = ()) -> Dataset:
    """Open pictures to look at, in the order given, with 1 or 3 channels.

    A folder means all pictures below it, shards mean all that is in them, the name of a built-in data set
    means `samples` of it; given alone, the last two keep their labels. `items` says what else may be given.
    Files and bytes are decoded when they are read; images of Pillow and arrays are converted now. `ranges`
    say what is black and white of deep pictures; those of 32 bits are measured where they do not. Raises
    DataError where a folder holds no picture, and for what can be no picture.
    """
    left: list[tuple[str, str]] = []
    found = [
        _pictures(item, channels, f"picture[{number}]", ranges, left) for number, item in _numbered(files)
    ]
    if len(found) == 1 and isinstance(found[0], Dataset):
        return found[0].with_ranges(completed(found[0], ranges))
    parts = [each.pictures if isinstance(each, Dataset) else each for each in found]
    together = joined(parts, channels)
    split = np.full(len(together), "test")
    dataset = Dataset("pictures", together, channels, split, left_out=tuple(left))
    return dataset.with_ranges(completed(dataset, ranges))


def open_recordings(files: Files, spec: SoundSpec) -> Dataset:
    """Open recordings to listen to by a spec, in the order given: as `open_pictures`. Raises DataError."""
    left: list[tuple[str, str]] = []
    found = [_recordings(item, spec, f"recording[{number}]", left) for number, item in _numbered(files)]
    if len(found) == 1 and isinstance(found[0], Dataset):
        return found[0]
    given = [each.sounds if isinstance(each, Dataset) else each for each in found]
    sounds = [each for each in given if each is not None]
    if len(sounds) == 1:
        together = sounds[0].with_spec(spec)
    else:
        paths = [path for part in sounds for path in part.paths]
        together = FileSounds(paths, spec, [span for part in sounds for span in part.spans])
    return Dataset("recordings", together, 1, np.full(len(together), "test"), left_out=tuple(left))


def samples(dataset: Dataset) -> Dataset:
    """Take the first test picture of each class, named after it; `dataset` has one label a picture."""
    test = dataset.part("test")
    labels = np.asarray(test.labels)
    first = test.take(np.unique(labels, return_index=True)[1])
    if first.sounds is not None:
        return first
    return replace(
        first, pictures=ArrayPictures([*map(first.pictures.read, range(len(first)))], test.classes)
    )


def _numbered(files: Files) -> Iterator[tuple[int, Any]]:
    """A data set counts as one item."""
    return enumerate([files] if isinstance(files, Dataset) else items(files))


def _pictures(
    item: Any, channels: int, name: str, ranges: Ranges, left: list[tuple[str, str]]
) -> Dataset | Pictures:
    """What an item stands for; files of a folder that are not opened are added to `left`."""
    dataset = _data_set(item)
    if dataset is not None:
        if dataset.sounds is not None:
            raise _other_kind(dataset, "recordings", "pictures")
        return dataset.with_channels(channels)
    if isinstance(item, str | Path):
        left += left_below(Path(item)) if Path(item).is_dir() else []
        return FilePictures(_expanded(Path(item), "picture"), channels, ranges)
    found, name = picture(item, channels, name, ranges)
    return MemoryPictures([found], [name], channels, ranges)


def _recordings(item: Any, spec: SoundSpec, name: str, left: list[tuple[str, str]]) -> Dataset | Sounds:
    dataset = _data_set(item)
    if dataset is not None:
        if dataset.sounds is None:
            raise _other_kind(dataset, "pictures", "recordings")
        return replace(dataset, pictures=dataset.sounds.with_spec(spec))
    if isinstance(item, str | Path):
        left += left_below(Path(item)) if Path(item).is_dir() else []
        return FileSounds(_expanded(Path(item), "recording"), spec)
    return FileSounds([recording(item, name)], spec)


def _data_set(item: Any) -> Dataset | None:
    """A data set, or what one name means that is not a file's or a folder's of files."""
    if isinstance(item, Dataset):
        return item
    built_in = open_builtin(item) if isinstance(item, str) else None
    if built_in is not None:
        return samples(built_in)
    is_name = isinstance(item, str | Path) and is_shards(item)
    return open_shards(item, None)[0] if is_name else None


def _expanded(path: Path, kind: Literal["picture", "recording"]) -> Sequence[Path]:
    """The files below a folder; a file, whether it is there or not, as it is."""
    if not path.is_dir():
        return [path]
    found = pictures_below(path) if kind == "picture" else files_below(path, decode.SUFFIXES)
    if not found:
        got = ", but ".join([f"no {kind}", *left_lines(left_below(path), ())[:1]])
        raise DataError(str(path), got=got, expected="some", do="name another folder")
    return found


def _other_kind(dataset: Dataset, got: str, expected: str) -> DataError:
    return DataError(dataset.name, got=got, expected=f"{expected}, as the model's", do="name other files")
