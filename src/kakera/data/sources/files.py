"""Files, and everything that can replace a file, as a data set in the order in which they are passed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kakera.data.arrow.files import is_tables
from kakera.data.arrow.hub import is_hub_name
from kakera.data.arrow.open import open_tables
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
from kakera.data.sources.measured_range import with_missing_ranges
from kakera.errors import DataError
from kakera.inputs import InputSpec
from kakera.sound.spec import SoundSpec


def open_files(files: Files, inputs: InputSpec) -> Dataset:
    """Open files of the kind that a model expects: see `open_pictures` and `open_recordings`.

    Example:

        >>> dataset = open_files([np.zeros((8, 6), np.uint8)], InputSpec(1, 8, 8, mean=(0.5,), std=(0.25,)))
        >>> dataset.kind, dataset.pictures.read(0).shape
        ('pictures', (8, 6, 1))
    """
    if inputs.sound is not None:
        return open_recordings(files, inputs.sound)
    return open_pictures(files, inputs.channels, inputs.values)


def open_pictures(files: Files, channels: int, ranges: Ranges = ()) -> Dataset:
    """Open pictures in the order in which they are passed, with `channels` channels (1 is grey, 3 is colour).

    A folder means all pictures below it. Shards and Parquet mean all pictures in them. The name of a built-in
    data set means its `samples`. These or a name keep their labels if they are the only item. `items` lists
    what else can be passed. Paths and bytes are decoded when they are read; Pillow images and arrays are
    converted now. `ranges` gives the values of black and white of deep pictures; without it, the range of
    32-bit pictures is measured. Every picture is in the part "test". Raises DataError if a folder has no
    picture, and for items that cannot be a picture.

    Example:

        >>> dataset = open_pictures([np.zeros((8, 6), np.uint8), np.zeros((4, 4, 3), np.uint8)], 3)
        >>> [dataset.pictures.read(row).shape for row in range(len(dataset))]
        [(8, 6, 3), (4, 4, 3)]
    """
    left: list[tuple[str, str]] = []
    found = [
        _pictures(item, channels, f"picture[{number}]", ranges, left) for number, item in _numbered(files)
    ]
    if len(found) == 1 and isinstance(found[0], Dataset):
        return found[0].with_ranges(with_missing_ranges(found[0], ranges))
    parts = [each.pictures if isinstance(each, Dataset) else each for each in found]
    together = joined(parts, channels)
    split = np.full(len(together), "test")
    dataset = Dataset("pictures", together, channels, split, left_out=tuple(left))
    return dataset.with_ranges(with_missing_ranges(dataset, ranges))


def open_recordings(files: Files, spec: SoundSpec) -> Dataset:
    """Open recordings in the order in which they are passed, to be read as `spec` describes.

    Items are as in `open_pictures`; a waveform is a pair (samples, sample rate in hertz). Raises DataError.

    Example:

        >>> dataset = open_recordings((np.zeros(16_000, np.float32), 16_000), SoundSpec())
        >>> dataset.kind, len(dataset)
        ('recordings', 1)
    """
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
    """Return the first test picture of each class, named after its class.

    `dataset` has one label per picture or recording.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> chosen = samples(open_dataset("demo"))
        >>> len(chosen), chosen.pictures.name(0)
        (10, 'T-shirt/top')
    """
    test = dataset.part("test")
    labels = np.asarray(test.labels)
    first = test.take(np.unique(labels, return_index=True)[1])
    if first.sounds is not None:
        return first
    return replace(
        first, pictures=ArrayPictures([*map(first.pictures.read, range(len(first)))], test.classes)
    )


def _numbered(files: Files) -> Iterator[tuple[int, Any]]:
    """Yield each item with its number; a data set is one item."""
    return enumerate([files] if isinstance(files, Dataset) else items(files))


def _pictures(
    item: Any, channels: int, name: str, ranges: Ranges, left: list[tuple[str, str]]
) -> Dataset | Pictures:
    """Return what an item contains, and add the skipped files of a folder to `left`."""
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
    """Return the data set that an item is or names; None for a file or a folder of files."""
    if isinstance(item, Dataset):
        return item
    built_in = open_builtin(item) if isinstance(item, str) else None
    if built_in is not None:
        return samples(built_in)
    if not isinstance(item, str | Path):
        return None
    if is_shards(item):
        return open_shards(item, None)[0]
    is_table = is_hub_name(item) or (Path(item).exists() and is_tables(Path(item)))
    return open_tables(item)[0] if is_table else None


def _expanded(path: Path, kind: Literal["picture", "recording"]) -> Sequence[Path]:
    """Return the files below a folder; or the file itself, even if it does not exist."""
    if not path.is_dir():
        return [path]
    found = pictures_below(path) if kind == "picture" else files_below(path, decode.SUFFIXES)
    if not found:
        other = "recordings" if kind == "picture" else "pictures"
        others = files_below(path, decode.SUFFIXES) if kind == "picture" else pictures_below(path)
        count = f"{len(others):,} {other if len(others) > 1 else other.removesuffix('s')}"
        lines = [count] if others else left_lines(left_below(path), ())[:1]
        do = f"choose another folder, or a model of {other}" if others else "choose another folder"
        raise DataError(str(path), got=", but ".join([f"no {kind}", *lines]), expected="at least one", do=do)
    return found


def _other_kind(dataset: Dataset, got: str, expected: str) -> DataError:
    return DataError(
        dataset.name, got=got, expected=f"{expected}, which the model reads", do="pass other files"
    )
