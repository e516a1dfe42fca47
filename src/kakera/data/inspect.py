"""What is in a data set, before anything is trained on it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kakera.data.dataset import PARTS, Dataset
from kakera.data.statistics import mean_std
from kakera.errors import UnreadableFileError

LISTED = 20  # examples shown of each finding


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
        if self.classes:
            lines.append(f"classes: {len(self.classes)}, {self.unlabelled} pictures without a label")
            for name, counts in self.classes.items():
                shown = ", ".join(f"{part} {n}" for part, n in counts.items() if self.parts[part])
                few = "  (one picture for training: too few to learn from)" if counts["train"] == 1 else ""
                lines.append(f"  {name}: {shown}{few}")
        else:
            lines.append("classes: none (enough for pretraining)")
        lines += _listed("unreadable", [f"{path}: {reason}" for path, reason in self.unreadable])
        lines += _listed("equal pictures in one part", [" = ".join(pair) for pair in self.duplicates])
        lines += _listed("leaks between parts", [" = ".join(pair) for pair in self.leaks])
        lines += _listed("equal pictures, other labels", [" = ".join(pair) for pair in self.contradictions])
        return lines


def inspect_dataset(dataset: Dataset) -> Inspection:
    """Read every picture once. Raises DataError where none can be read."""
    digests, shapes, broken = _read_all(dataset)
    good = np.array(sorted(digests), dtype=np.int64)
    kept = dataset.take(good)
    mean, std = mean_std(kept if len(good) else dataset)
    first: dict[bytes, int] = {}
    duplicates: list[tuple[str, str]] = []
    leaks: list[tuple[str, str]] = []
    contradictions: list[tuple[str, str]] = []
    for index in map(int, good):
        other = first.setdefault(digests[index], index)
        if other == index:
            continue
        pair = (dataset.pictures.name(other), dataset.pictures.name(index))
        same_part = dataset.split[other] == dataset.split[index]
        (duplicates if same_part else leaks).append(pair)
        if dataset.labels is not None and np.any(dataset.labels[other] != dataset.labels[index]):
            contradictions.append(pair)
    return Inspection(
        name=dataset.name,
        channels=dataset.channels,
        parts={part: int((kept.split == part).sum()) for part in PARTS},
        sizes=dict(Counter(f"{height} x {width}" for height, width in shapes)),
        classes=_classes(kept),
        unlabelled=len(kept) - len(kept.labelled) if kept.labels is not None else len(kept),
        mean=mean,
        std=std,
        unreadable=tuple((error.path, error.reason) for error in (*dataset.unreadable, *broken)),
        duplicates=tuple(duplicates),
        leaks=tuple(leaks),
        contradictions=tuple(contradictions),
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
        for index, found in enumerate(pool.map(read, range(len(dataset)))):
            if isinstance(found, UnreadableFileError):
                broken.append(found)
            else:
                digests[index] = found[0]
                shapes.append(found[1])
    return digests, shapes, broken


def _classes(dataset: Dataset) -> dict[str, dict[str, int]]:
    if dataset.labels is None:
        return {}
    carries = (
        dataset.labels
        if dataset.several
        else dataset.labels[:, None] == np.arange(len(dataset.classes))[None]
    )
    return {
        name: {part: int(carries[dataset.split == part, number].sum()) for part in PARTS}
        for number, name in enumerate(dataset.classes)
    }


def _listed(title: str, found: Sequence[str]) -> list[str]:
    if not found:
        return [f"{title}: none"]
    more = [f"  … and {len(found) - LISTED} more"] if len(found) > LISTED else []
    return [f"{title}: {len(found)}", *(f"  {line}" for line in found[:LISTED]), *more]


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4f}" for value in values)
