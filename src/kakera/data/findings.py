"""What every kind of data set is inspected for: classes, files that cannot be read, equals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from kakera.data.dataset import PARTS, Dataset
from kakera.data.left import LeftOut, files_line

LISTED = 20  # examples shown of each finding

Pairs: TypeAlias = tuple[tuple[str, str], ...]


def equals(dataset: Dataset, digests: Mapping[int, bytes]) -> tuple[Pairs, Pairs, Pairs]:
    """Pairs of names of the same content: within a part, in different parts, with different labels."""
    first: dict[bytes, int] = {}
    duplicates: list[tuple[str, str]] = []
    leaks: list[tuple[str, str]] = []
    contradictions: list[tuple[str, str]] = []
    for index in sorted(digests):
        other = first.setdefault(digests[index], index)
        if other == index:
            continue
        pair = (dataset.pictures.name(other), dataset.pictures.name(index))
        same_part = dataset.split[other] == dataset.split[index]
        (duplicates if same_part else leaks).append(pair)
        if dataset.labels is not None and np.any(dataset.labels[other] != dataset.labels[index]):
            contradictions.append(pair)
    return tuple(duplicates), tuple(leaks), tuple(contradictions)


def classes_of(dataset: Dataset) -> dict[str, dict[str, int]]:
    """For each class, how many samples of each part carry it."""
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


def taken_lines(
    total: int, things: str, left: Sequence[LeftOut], notes: Sequence[str], unreadable: int
) -> list[str]:
    """For reading: how many files were taken, left out and unreadable, and what was decided."""
    return ["files: " + files_line(total, things, left, unreadable), *(f"note: {note}" for note in notes)]


def label_notes(before: Dataset, kept: Dataset) -> list[str]:
    """Sentences on classes of which no file can be read, and on files that carry none of several labels."""
    full = {name for name, counts in classes_of(kept).items() if any(counts.values())}
    gone = [name for name, counts in classes_of(before).items() if any(counts.values()) and name not in full]
    notes = [f"classes of which no file can be read: {', '.join(gone)}"] if gone else []
    if kept.several and kept.labels is not None:
        none = int((~kept.labels[kept.labelled].any(axis=1)).sum())
        notes += [f"{none:,} {kept.kind} carry none of the classes"] if none else []
    return notes


def class_lines(
    classes: Mapping[str, Mapping[str, int]], parts: Mapping[str, int], unlabelled: int, things: str
) -> list[str]:
    """For reading: one line a class."""
    if not classes:
        return ["classes: none (enough for pretraining)"]
    lines = [f"classes: {len(classes)}, {unlabelled} {things} without a label"]
    for name, counts in classes.items():
        shown = ", ".join(f"{part} {n}" for part, n in counts.items() if parts[part])
        one = things.removesuffix("s")
        few = f"  (one {one} for training: too few to learn from)" if counts["train"] == 1 else ""
        lines.append(f"  {name}: {shown}{few}")
    return lines


def finding_lines(
    unreadable: Pairs, duplicates: Pairs, leaks: Pairs, contradictions: Pairs, things: str
) -> list[str]:
    """For reading: what looks wrong."""
    return [
        *listed("unreadable", [f"{path}: {reason}" for path, reason in unreadable]),
        *listed(f"equal {things} in one part", [" = ".join(pair) for pair in duplicates]),
        *listed("leaks between parts", [" = ".join(pair) for pair in leaks]),
        *listed(f"equal {things}, other labels", [" = ".join(pair) for pair in contradictions]),
    ]


def listed(title: str, found: Sequence[str]) -> list[str]:
    """A title with the number, and some of the examples."""
    if not found:
        return [f"{title}: none"]
    more = [f"  … and {len(found) - LISTED} more"] if len(found) > LISTED else []
    return [f"{title}: {len(found)}", *(f"  {line}" for line in found[:LISTED]), *more]
