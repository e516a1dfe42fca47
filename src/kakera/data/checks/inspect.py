"""Inspect a data set before a training: counts, sizes, classes, and problems."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kakera.data.checks.findings import (
    class_lines,
    classes_of,
    equals,
    finding_lines,
    folders_without_files,
    listed,
    none_notes,
)
from kakera.data.checks.inspect_sounds import SoundInspection, inspect_sounds
from kakera.data.checks.warnings import data_warnings
from kakera.data.dataset import PARTS, Dataset
from kakera.data.folders.media import Kind
from kakera.data.folders.tree import left_lines
from kakera.data.images import value_range
from kakera.data.images.value_range import Ranges
from kakera.data.preload.in_flight import decoding_bytes, in_order
from kakera.data.preload.statistics import Sums, chosen, mean_std_of, sums
from kakera.data.sources.open import open_dataset
from kakera.errors import UnreadableFileError
from kakera.out_of_memory import memory_for
from kakera.progress import with_progress

FLAT = 1 / 255  # smallest standard deviation that can be measured: one step of 8 bits
ONE_COLOUR = "every pixel has the same colour: a model cannot learn from these pictures"


@dataclass(frozen=True)
class Inspection:
    """The result of inspecting pictures: counts of readable pictures, their sizes and classes, and problems.

    `parts` and `sizes` (height x width) count pictures. `mean` and `std` are of values / 255, per channel.
    See `inspect_dataset`.
    """

    name: str
    channels: int
    parts: dict[str, int]
    sizes: dict[str, int]
    classes: dict[str, dict[str, int]]
    """How many pictures of each part have each class."""
    unlabelled: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unreadable: tuple[tuple[str, str], ...]
    duplicates: tuple[tuple[str, str], ...] = field(default=())
    """Pairs of equal pictures within one part."""
    leaks: tuple[tuple[str, str], ...] = field(default=())
    """Pairs of equal pictures in different parts."""
    contradictions: tuple[tuple[str, str], ...] = field(default=())
    """Pairs of equal pictures with different labels."""
    ranges: Ranges = ()
    """(kind, black, white) of deep values: measured on a sample, or passed by the user."""
    clipped: dict[str, int] = field(default_factory=dict[str, int])
    """Files with values outside the range, and the number of these values."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Skipped files, and the reason."""
    emptied: tuple[str, ...] = ()
    """Folders and classes without a readable file."""
    notes: tuple[str, ...] = ()
    """Decisions about classes and parts."""
    warnings: tuple[str, ...] = field(default=())
    """Problems that spoil a training or its evaluation, one sentence each."""

    @property
    def side(self) -> int:
        """The median of the pictures' longer sides, in pixels."""
        sides = {size: max(map(int, size.split(" x "))) for size in self.sizes}
        return int(np.median(np.repeat([*sides.values()], [*self.sizes.values()])))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the lines of a report, one fact per line."""
        total = sum(self.parts.values())
        colour = {1: "grey", 3: "colour"}.get(self.channels, f"{self.channels} channels")
        sizes = sorted(self.sizes.items(), key=lambda item: -item[1])
        more = f" and {len(sizes) - 5} other sizes" if len(sizes) > 5 else ""
        lines = [
            f"{self.name}: {total} pictures, {colour}",
            "parts: " + ", ".join(f"{name} {count}" for name, count in self.parts.items() if count),
            "sizes: " + ", ".join(f"{size} ({count})" for size, count in sizes[:5]) + more,
            "mean " + _numbers(self.mean) + ", std " + _numbers(self.std) + " (of values / 255)",
        ]
        lines += [f"note: {note}" for note in self.notes] + left_lines(self.left_out, self.emptied)
        lines += class_lines(self.classes, self.parts, self.unlabelled, "pictures")
        lines += value_range.lines(self.ranges, self.ranges)
        if self.clipped:
            lines += listed(
                "values outside the range, clipped",
                [f"{name}: {count}" for name, count in self.clipped.items()],
            )
        lines += finding_lines(self.unreadable, self.duplicates, self.leaks, self.contradictions, "pictures")
        return lines + [f"warning: {text}" for text in self.warnings]


@memory_for("inspect", "inspect a part of the data, or close other programs")
def inspect_dataset(
    data: str | Path | Dataset,
    *,
    channels: int | None = None,
    seed: int = 0,
    kind: Kind = "any",
    ranges: Ranges = (),
) -> Inspection | SoundInspection:
    """Read all files of a data set once, and return counts, sizes, classes and problems.

    `data` is a data set, or anything that `open_dataset` opens. The other arguments are only for a path or a
    name: `channels` (1 or 3), `seed` of the split if the data have none, `kind` ("pictures" or "recordings")
    and `ranges` of deep pictures. Return a `SoundInspection` for recordings. Raises DataError if no file is
    readable.

    Example:

        >>> result = inspect_dataset(open_dataset("demo").take(range(20)))
        >>> result.channels, result.sizes, sum(result.parts.values())
        (1, {'28 x 28': 20}, 20)
        >>> result.lines()[0]
        'demo: 20 pictures, grey'
    """
    if isinstance(data, Dataset):
        dataset = data
    else:
        dataset = open_dataset(data, channels=channels, seed=seed, kind=kind, ranges=ranges)
    if dataset.sounds is not None:
        return inspect_sounds(dataset)
    found, broken = _read_all(dataset)
    kept, facts = dataset.take(sorted(found)), [found[index] for index in sorted(found)]
    mean, std = mean_std_of(
        (facts[number].sums for number in chosen(len(facts))), dataset.name, next(iter(broken), "")
    )
    digests = {index: fact.digest for index, fact in found.items()}
    duplicates, leaks, contradictions = equals(dataset, digests)
    return Inspection(
        name=dataset.name,
        channels=dataset.channels,
        parts={part: int((kept.split == part).sum()) for part in PARTS},
        sizes=dict(Counter(f"{height} x {width}" for height, width in (fact.size for fact in facts))),
        classes=classes_of(kept),
        unlabelled=len(kept) - len(kept.labelled) if kept.labels is not None else len(kept),
        mean=mean,
        std=std,
        unreadable=tuple((error.path, error.reason) for error in (*dataset.unreadable, *broken)),
        duplicates=duplicates,
        leaks=leaks,
        contradictions=contradictions,
        ranges=dataset.ranges,
        clipped=dict(sorted(dataset.pictures.clipped.items())),
        left_out=dataset.left_out,
        emptied=folders_without_files(dataset, kept),
        notes=(*dataset.notes, *none_notes(kept)),
        warnings=(*data_warnings(kept), *([ONE_COLOUR] if len(kept) > 1 and max(std) <= FLAT else [])),
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """The facts of a picture: a digest of its values, its size (height, width), and sums of its values."""

    digest: bytes
    size: tuple[int, int]
    sums: Sums


def _read_all(dataset: Dataset) -> tuple[dict[int, _Facts], list[UnreadableFileError]]:
    """Return the facts of each readable picture, by its number, and the errors; decode each picture once."""

    def read(index: int) -> _Facts | UnreadableFileError:
        try:
            values = np.ascontiguousarray(dataset.pictures.read(index))
        except UnreadableFileError as error:
            return error
        size = (values.shape[0], values.shape[1])
        digest = hashlib.blake2b(repr(size).encode(), digest_size=16)
        digest.update(values.reshape(-1).data)
        return _Facts(digest.digest(), size, sums(values))

    found: dict[int, _Facts] = {}
    broken: list[UnreadableFileError] = []
    reading = in_order(read, len(dataset), decoding_bytes(dataset.pictures))
    for index, facts in enumerate(with_progress(reading, "inspect", total=len(dataset))):
        if isinstance(facts, UnreadableFileError):
            broken.append(facts)
        else:
            found[index] = facts
    return found, broken


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4f}" for value in values)
