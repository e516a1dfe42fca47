"""What is in a data set, before anything is trained on it."""

from __future__ import annotations

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kakera.data.dataset import PARTS, Dataset
from kakera.data.findings import class_lines, classes_of, equals, finding_lines
from kakera.data.inspect_sound import SoundInspection, inspect_sounds
from kakera.data.statistics import mean_std
from kakera.data.warnings import data_warnings
from kakera.errors import UnreadableFileError
from kakera.progress import passing

FLAT = 1 / 255  # the least deviation that is measured: one step of 8 bits
ONE_COLOUR = "all pictures are of one colour: there is nothing to see in them"


@dataclass(frozen=True)
class Inspection:
    """Counts of readable pictures, their sizes (height × width) and classes, and what looks wrong."""

    name: str
    channels: int
    parts: dict[str, int]
    sizes: dict[str, int]
    classes: dict[str, dict[str, int]]
    """For each class, how many pictures of each part carry it."""
    unlabelled: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unreadable: tuple[tuple[str, str], ...]
    duplicates: tuple[tuple[str, str], ...] = field(default=())
    """Pairs of equal pictures within a part."""
    leaks: tuple[tuple[str, str], ...] = field(default=())
    """Pairs of equal pictures in different parts."""
    contradictions: tuple[tuple[str, str], ...] = field(default=())
    """Pairs of equal pictures with different labels."""
    warnings: tuple[str, ...] = field(default=())
    """What will spoil a training or its measure, one sentence each."""

    @property
    def side(self) -> int:
        """The median of the pictures' longer sides, in pixels."""
        sides = {size: max(map(int, size.split(" x "))) for size in self.sizes}
        return int(np.median(np.repeat([*sides.values()], [*self.sizes.values()])))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For reading: one fact a line."""
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
        lines += class_lines(self.classes, self.parts, self.unlabelled, "pictures")
        lines += finding_lines(self.unreadable, self.duplicates, self.leaks, self.contradictions, "pictures")
        return lines + [f"warning: {text}" for text in self.warnings]


def inspect_dataset(dataset: Dataset) -> Inspection | SoundInspection:
    """Read everything once. Raises DataError where none can be read."""
    if dataset.sounds is not None:
        return inspect_sounds(dataset)
    digests, shapes, broken = _read_all(dataset)
    good = np.array(sorted(digests), dtype=np.int64)
    kept = dataset.take(good)
    mean, std = mean_std(kept if len(good) else dataset)
    duplicates, leaks, contradictions = equals(dataset, digests)
    return Inspection(
        name=dataset.name,
        channels=dataset.channels,
        parts={part: int((kept.split == part).sum()) for part in PARTS},
        sizes=dict(Counter(f"{height} x {width}" for height, width in shapes)),
        classes=classes_of(kept),
        unlabelled=len(kept) - len(kept.labelled) if kept.labels is not None else len(kept),
        mean=mean,
        std=std,
        unreadable=tuple((error.path, error.reason) for error in (*dataset.unreadable, *broken)),
        duplicates=duplicates,
        leaks=leaks,
        contradictions=contradictions,
        warnings=(*data_warnings(kept), *([ONE_COLOUR] if len(kept) > 1 and max(std) <= FLAT else [])),
    )


def _read_all(
    dataset: Dataset,
) -> tuple[dict[int, bytes], list[tuple[int, int]], list[UnreadableFileError]]:
    """A digest of the values of each readable picture, all sizes, and the errors."""

    def read(index: int) -> tuple[bytes, tuple[int, int]] | UnreadableFileError:
        try:
            values = np.ascontiguousarray(dataset.pictures.read(index))
        except UnreadableFileError as error:
            return error
        shape = (values.shape[0], values.shape[1])
        return hashlib.blake2b(repr(shape).encode() + values.tobytes(), digest_size=16).digest(), shape

    digests: dict[int, bytes] = {}
    shapes: list[tuple[int, int]] = []
    broken: list[UnreadableFileError] = []
    with ThreadPoolExecutor() as pool:
        reading = pool.map(read, range(len(dataset)))
        for index, found in enumerate(passing(reading, "inspect", total=len(dataset))):
            if isinstance(found, UnreadableFileError):
                broken.append(found)
            else:
                digests[index] = found[0]
                shapes.append(found[1])
    return digests, shapes, broken


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4f}" for value in values)
