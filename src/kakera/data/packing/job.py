"""What is to be packed, and how: the order in shards, the names, and what cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.data.audio.recordings import spanned
from kakera.data.dataset import Dataset
from kakera.data.folders.tree import suffix_of
from kakera.data.images.decode import SUFFIXES
from kakera.data.names import BLOCK, Names, NamesBuilder, relative
from kakera.errors import OptionError

Store = Literal["pixels", "files"]


@dataclass(frozen=True)
class PackingJob:
    """What is packed, and how. `side` 0: pixels as they are; `files`: the bytes of the files instead.

    Recordings are always kept as files.
    """

    dataset: Dataset
    folder: Path
    divided: bool
    side: int
    files: bool
    shard_size: int

    @property
    def count(self) -> int:
        """Shards."""
        return -(-len(self.dataset) // self.shard_size)

    def stem(self, number: int) -> str:
        """Of a shard's files."""
        return f"{number:06d}"

    def title(self, number: int) -> str:
        """Of its tar file."""
        return f"{self.stem(number)}.tar"

    def rows(self, number: int) -> NDArray[np.int64]:
        """Its pictures: shuffled once for all, for readers that can only shuffle what lies near."""
        return self._order[number * self.shard_size : (number + 1) * self.shard_size]

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return seeding.permutation(0, 0, len(self.dataset), "pack")

    @cached_property
    def _paths(self) -> Names:
        """Of the files that are packed, without what all begin with; none where they are something else."""
        pictures = self.dataset.pictures
        paths = pictures.paths
        if not all(isinstance(path, Path) for path in paths):
            return Names.of(())

        def blocks() -> Iterator[list[str]]:
            for first in range(0, len(paths), BLOCK):
                yield [str(path) for path in paths[first : first + BLOCK]]

        found = NamesBuilder()
        for names in relative(blocks):
            found.extend(names)
        return found.names()

    @cached_property
    def suffix(self) -> str:
        """Of all pictures that are kept as files: the most frequent one.

        Hugging Face's datasets reads no shards whose members differ in it; decoders look at the content.
        """
        pictures = self.dataset.pictures
        names = map(pictures.name, range(len(pictures)))
        counts = Counter(suffix for name in names if (suffix := suffix_of(name)) in SUFFIXES)
        return min(counts, key=lambda suffix: (-counts[suffix], suffix), default=".jpg")

    def name(self, row: int) -> str:
        """Without what all paths begin with; of a span with its times."""
        sounds = self.dataset.sounds
        if not self._paths:
            return self.dataset.pictures.name(row)
        name = self._paths[row]
        return name if sounds is None else spanned(name, sounds.spans[row])


def require(dataset: Dataset, side: int | None, store: Store | None, shard_size: int, workers: int) -> None:
    """That the data can be packed so. Raises OptionError, DataError."""
    name = dataset.name
    for option, value, least in (
        ("--side", side or 0, 0),
        ("--shard-size", shard_size, 1),
        ("--workers", workers, 0),
    ):
        if value < least:
            raise OptionError(option, got=value, expected=f"{least} or more", do="correct it")
    if dataset.sounds is not None:
        for option, value in (("--side", side), ("--store", store if store == "pixels" else None)):
            if value is not None:
                got, expected = f"{value} for recordings", "pictures: recordings are kept as files"
                raise OptionError(option, got=got, expected=expected, do="leave it out")
        return
    if store not in (None, "pixels", "files"):
        raise OptionError("--store", got=store, expected="pixels or files", do="choose one")
    if store == "files":
        if side is not None:
            got = f"{side} with --store files"
            raise OptionError("--side", got=got, expected="--store pixels", do="leave one out")
        pictures = dataset.pictures
        if not all(map(pictures.has_file, range(len(pictures)))):
            raise OptionError(
                "--store", got=f"files of {name}", expected="pixels: it has no files", do="leave it out"
            )
