"""The description of a packing: the data, their order in the shards, the names, and the checks before it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

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
    """A packing: the data set and how to store it.

    `side` bounds the shorter side of the pixels (0: no limit). `files` True stores the bytes of the files
    instead of pixels; recordings are always stored as files. `shard_size` is the number of pictures or
    recordings per shard, `divided` is True if the split is stored.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> five = open_dataset("demo").take(range(5))
        >>> job = PackingJob(five, Path("shards"), divided=True, side=0, files=False, shard_size=2)
        >>> job.count, job.title(0)
        (3, '000000.tar')
    """

    dataset: Dataset
    folder: Path
    divided: bool
    side: int
    files: bool
    shard_size: int

    @property
    def count(self) -> int:
        """The number of shards."""
        return -(-len(self.dataset) // self.shard_size)

    def stem(self, number: int) -> str:
        """Return the name of a shard's files without a suffix."""
        return f"{number:06d}"

    def title(self, number: int) -> str:
        """Return the name of a shard's tar file."""
        return f"{self.stem(number)}.tar"

    def rows(self, number: int) -> NDArray[np.int64]:
        """Return the rows of a shard, shuffled over all shards.

        Some readers can shuffle only neighbouring rows, so the shuffle is done once, when the data are
        packed.
        """
        return self._order[number * self.shard_size : (number + 1) * self.shard_size]

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return seeding.permutation(0, 0, len(self.dataset), "pack")

    @cached_property
    def _paths(self) -> Names:
        """The paths of the packed files, without their common folder; empty if they are not files."""
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
        """The suffix of all pictures that are stored as files: the most frequent one.

        Hugging Face's datasets cannot read shards whose members have different suffixes. Decoders look at the
        content, so the suffix does not matter to them.
        """
        pictures = self.dataset.pictures
        names = map(pictures.name, range(len(pictures)))
        counts = Counter(suffix for name in names if (suffix := suffix_of(name)) in SUFFIXES)
        return min(counts, key=lambda suffix: (-counts[suffix], suffix), default=".jpg")

    def name(self, row: int) -> str:
        """Return the name of a row without the common folder; the name of a span includes its times."""
        sounds = self.dataset.sounds
        if not self._paths:
            return self.dataset.pictures.name(row)
        name = self._paths[row]
        return name if sounds is None else spanned(name, sounds.spans[row])


def require(dataset: Dataset, side: int | None, store: Store | None, shard_size: int, workers: int) -> None:
    """Check the options of a packing. Raises OptionError, DataError.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> require(open_dataset("demo"), side=64, store=None, shard_size=100, workers=1)
    """
    name = dataset.name
    for option, value, least in (
        ("--side", side or 0, 0),
        ("--shard-size", shard_size, 1),
        ("--workers", workers, 0),
    ):
        if value < least:
            raise OptionError(option, got=value, expected=f"{least} or more", do="correct the value")
    if dataset.sounds is not None:
        for option, value in (("--side", side), ("--store", store if store == "pixels" else None)):
            if value is not None:
                got, expected = f"{value} for recordings", "pictures: recordings are always stored as files"
                raise OptionError(option, got=got, expected=expected, do="leave the option out")
        return
    if store not in (None, "pixels", "files"):
        raise OptionError("--store", got=store, expected="pixels or files", do="choose one")
    if store == "files":
        if side is not None:
            got = f"{side} with --store files"
            raise OptionError("--side", got=got, expected="--store pixels", do="leave one of them out")
        pictures = dataset.pictures
        if not all(map(pictures.has_file, range(len(pictures)))):
            raise OptionError(
                "--store",
                got=f"files of {name}",
                expected="pixels: the data set has no files",
                do="leave it out",
            )


def packing_options(job: PackingJob) -> dict[str, Any]:
    """Return the options that a folder is made with; other options need another folder.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> two = open_dataset("demo").take([0, 1])
        >>> job = PackingJob(two, Path("shards"), divided=True, side=0, files=False, shard_size=2)
        >>> options = packing_options(job)
        >>> options["pictures"], options["store"]
        (2, 'pixels')
    """
    dataset, digest = job.dataset, hashlib.sha256()
    for index in range(len(dataset)):
        digest.update(job.name(index).encode(errors="replace") + b"\0")
    digest.update(dataset.split.astype("<U5").tobytes() if job.divided else b"")
    digest.update(b"" if dataset.labels is None else dataset.labels.tobytes())
    if dataset.sounds is not None and dataset.sounds.spans:
        digest.update(np.array(dataset.sounds.spans).tobytes())
    return {
        job.dataset.kind: len(dataset),
        "source_sha256": digest.hexdigest(),
        "classes": list(dataset.classes),
        "channels": dataset.channels,
        "store": "files" if job.files else "pixels",
        "side": job.side,
        "shard_size": job.shard_size,
    }
