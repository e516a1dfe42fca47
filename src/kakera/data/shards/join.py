"""Several shards as one data set with one table, one list of classes and one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import PARTS, RECORDINGS, Dataset
from kakera.data.folders.media import alike, channels_of
from kakera.data.names import natural
from kakera.data.shards.index import ShardIndex
from kakera.data.shards.reader import Shard, ShardPictures, ShardRecording, Shards
from kakera.errors import DataError, UnreadableFileError
from kakera.sound.spec import SoundSpec


@dataclass(frozen=True)
class Part:
    """A shard and its index.

    Example:

        >>> from pathlib import Path
        >>> from kakera.data.shards.index import RECORD
        >>> index = ShardIndex(np.zeros(1, RECORD), None, (), b"owl.png", 1536)
        >>> part = Part(Shard(Path("000000.tar"), 1536, index.names), index)
        >>> dataset, has_split = joined("birds", [part], channels=1)
        >>> dataset.pictures.name(0), has_split
        ('owl.png', False)
    """

    shard: Shard
    index: ShardIndex


def joined(
    name: str, parts: Sequence[Part], channels: int | None, classes: tuple[str, ...] | None = None
) -> tuple[Dataset, bool]:
    """Return a data set of all shards; and True if all of them have a split.

    kakera's own shards are in the order of the packed source, other shards in the order of the files.
    `channels` None detects the number of channels. `classes` None collects the classes of all shards. Raises
    DataError. See `kakera.data.shards.open.open_shards`.
    """
    indexes = [part.index for part in parts]
    if classes is None:
        classes = _classes(indexes)
    kinds = {index.kind for index in indexes if len(index.records)}
    if len(kinds) > 1:
        got, expected = "shards of pictures and shards of recordings", "shards of one kind"
        raise DataError(name, got=got, expected=expected, do="open them separately")
    table = np.concatenate([index.records for index in indexes])
    if not len(table):
        raise DataError(
            name, got="no picture and no recording", expected="at least one", do="pack other data"
        )
    places = np.concatenate([_places(number, len(index.records)) for number, index in enumerate(indexes)])
    labels = _labels(indexes, classes)
    packed = all("sha256" in index.facts for index in indexes)
    rows = np.argsort(table["number"], kind="stable") if packed else np.arange(len(table))
    shards = Shards([part.shard for part in parts], table, places)
    if kinds == {RECORDINGS}:
        pictures, depth = FileSounds([ShardRecording(shards, row) for row in rows.tolist()], SoundSpec()), 1
    else:
        pictures = ShardPictures(shards, channels or 3, rows)
        if channels is None:
            pictures = pictures.with_channels(channels_of(pictures))
        depth = pictures.channels
    unreadable = [
        UnreadableFileError(path, reason)
        for index in indexes
        for path, reason in index.facts.get("unreadable", [])
    ]
    dataset = Dataset(
        name,
        pictures,
        channels=depth,
        split=np.array(PARTS)[table["split"][rows]],
        classes=classes,
        labels=None if labels is None else labels[rows],
        unreadable=tuple(unreadable),
        left_out=tuple(
            (f"{part.shard.path}/{member}", why)
            for part in parts
            for member, why in part.index.facts.get("left", [])
        ),
        emptied=_emptied(classes, labels) if packed else (),
        notes=tuple(alike(classes)),
    )
    return dataset, all(index.facts.get("divided") for index in indexes)


def _places(shard: int, count: int) -> NDArray[np.int64]:
    return np.stack([np.full(count, shard), np.arange(count)], axis=1)


def _classes(indexes: Sequence[ShardIndex]) -> tuple[str, ...]:
    """Return the classes of all shards; if all are small numbers, also the numbers between them."""
    names = {name for index in indexes for name in index.classes}
    if names and all(name.isascii() and name.isdecimal() and len(name) < 6 for name in names):
        return tuple(map(str, range(1 + max(map(int, names)))))
    return tuple(sorted(names, key=natural))


def _labels(indexes: Sequence[ShardIndex], classes: tuple[str, ...]) -> NDArray[Any] | None:
    if not classes:
        return None
    number = {name: code for code, name in enumerate(classes)}
    multi_label = any(index.labels is not None and index.labels.ndim == 2 for index in indexes)
    found: list[NDArray[Any]] = []
    for index in indexes:
        codes = np.array(
            [number[str(int(n))] if n not in number else number[n] for n in index.classes] + [-1]
        )
        count, given = len(index.records), index.labels
        one = np.full(count, -1) if given is None or given.ndim == 2 else codes[given.astype(np.int64)]
        if not multi_label:
            found.append(one.astype(np.int64))
            continue
        many = np.zeros((count, len(classes)), dtype=bool)
        if given is not None and given.ndim == 2:
            many[:, codes[:-1]] = given
        else:
            many[np.flatnonzero(one >= 0), one[one >= 0]] = True
        found.append(many)
    return np.concatenate(found)


def _emptied(classes: Sequence[str], labels: NDArray[Any] | None) -> tuple[str, ...]:
    """Return the classes without a file."""
    if labels is None:
        return ()
    carried = set((np.flatnonzero(labels.any(axis=0)) if labels.ndim == 2 else labels).tolist())
    return tuple(name for code, name in enumerate(classes) if code not in carried)
