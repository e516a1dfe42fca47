"""Results that every kind of data set shares: classes, unreadable files, equal files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from kakera.data.checks.digest import names_of
from kakera.data.dataset import PARTS, Dataset
from kakera.data.folders.tree import left_lines, suffix_word
from kakera.data.images import value_range
from kakera.data.images.picture_file import MOST_PIXELS, TOO_MANY

SHOWN = 6  # suffixes in a line
LISTED = 20  # examples shown for each problem
TOO_LARGE = f"too large, above {MOST_PIXELS // 10**6} megapixels"
BLOCK = 1024  # multi-label files at a time

Found = TypeVar("Found")
Pairs: TypeAlias = tuple[tuple[str, str], ...]


def equals(dataset: Dataset, digests: Mapping[int, bytes]) -> tuple[Pairs, Pairs, Pairs]:
    """Return pairs of names with equal content: in one part, in different parts, with different labels.

    `digests` has a digest of the content by row number.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> two = open_dataset("demo").take([0, 1])
        >>> duplicates, leaks, contradictions = equals(two, {0: b"same", 1: b"same"})
        >>> len(duplicates) + len(leaks)
        1
    """
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
    """Return how many files of each part have each class; the time is linear in files and in classes.

    The result is empty without labels, and for regression.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> counts = classes_of(open_dataset("demo"))
        >>> len(counts), [*counts["Bag"]]
        (10, ['train', 'val', 'test'])
    """
    labels, names = dataset.labels, dataset.classes
    if labels is None or dataset.regression:
        return {}
    counts = {part: _counts(labels, dataset.split == part, len(names)).tolist() for part in PARTS}
    return {name: {part: counts[part][number] for part in PARTS} for number, name in enumerate(names)}


def _counts(labels: NDArray[Any], chosen: NDArray[np.bool_], classes: int) -> NDArray[np.int64]:
    """Return (classes,) how many of the chosen files (n,) have each class."""
    rows = np.flatnonzero(chosen)
    if labels.ndim == 1:
        known = labels[rows]
        return np.bincount(known[known >= 0], minlength=classes)
    found = np.zeros(classes, np.int64)
    for first in range(0, len(rows), BLOCK):
        found += labels[rows[first : first + BLOCK]].sum(axis=0)
    return found


def taken_line(dataset: Dataset, clipped: Mapping[str, int], noted: Mapping[str, str]) -> str:
    """Return one line about a data set: files by suffix, skipped and unreadable files, ranges, notes.

    `clipped` are files with values outside the range, and their number; `noted` are unusual files, and the
    reason. Both cover only the files that were just read.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> taken_line(open_dataset("demo").take([0, 1]), {}, {})
        'demo: 2 pictures'
    """
    pictures, broken = dataset.pictures, dataset.unreadable
    files = len(pictures) > 0 and not pictures.name(0).endswith("]")  # arrays have numbers, no suffixes
    suffixes = (suffix_word(name) for names in names_of(pictures) for name in names)
    counts = Counter(suffixes).most_common(SHOWN) if files else []
    shown = ", ".join(f"{count} {suffix}" for suffix, count in counts)
    words = [f"{len(pictures)} {dataset.kind}" + (f" ({shown})" if shown else "")]
    words += left_lines(dataset.left_out, dataset.emptied)
    for title, errors in _by_cause(broken, lambda error: error.reason):
        first = f"{errors[0].path}: {errors[0].reason}"
        words.append(f"{title}: {len(errors)} ({first}{'; …' if len(errors) > 1 else ''})")
    words += value_range.lines(dataset.ranges, dataset.ranges)
    if clipped:
        words.append(
            f"clipped: {sum(clipped.values())} values in {len(clipped)} files ({next(iter(clipped))}, …)"
        )
    if noted:
        name, note = next(iter(noted.items()))
        words.append(f"read, but unusual: {len(noted)} ({name}: {note}{'; …' if len(noted) > 1 else ''})")
    return f"{dataset.name}: " + "; ".join([*words, *dataset.notes])


def folders_without_files(before: Dataset, kept: Dataset) -> tuple[str, ...]:
    """Return the folders and classes without a file, including classes without a readable file.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> demo = open_dataset("demo")
        >>> without_bags = demo.take(np.flatnonzero(demo.labels != demo.classes.index("Bag")))
        >>> folders_without_files(demo, without_bags)
        ('Bag',)
    """
    full = {name for name, counts in classes_of(kept).items() if any(counts.values())}
    gone = [name for name, counts in classes_of(before).items() if any(counts.values()) and name not in full]
    return (*before.emptied, *gone)


def none_notes(dataset: Dataset) -> list[str]:
    """Return a sentence about multi-label files with no class at all, in a list; or an empty list.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.zeros((3, 8, 8, 1), np.uint8))
        >>> labels = np.array([[True], [False], [False]])
        >>> none_notes(Dataset("cats", pictures, 1, np.full(3, "train"), ("cat",), labels))
        ['2 pictures have none of the classes']
    """
    if not dataset.multi_label or dataset.labels is None:
        return []
    none = int((~dataset.labels[dataset.labelled].any(axis=1)).sum())
    return [f"{none:,} {dataset.kind} have none of the classes"] if none else []


def class_lines(
    classes: Mapping[str, Mapping[str, int]], parts: Mapping[str, int], unlabelled: int, things: str
) -> list[str]:
    """Return the lines of a report about classes, one line per class.

    `parts` has the number of files of each part, `things` is "pictures" or "recordings".

    Example:

        >>> class_lines({"cat": {"train": 2, "test": 1}}, {"train": 2, "test": 1}, 0, "pictures")
        ['classes: 1, 0 pictures without a label', '  cat: train 2, test 1']
    """
    if not classes:
        return ["classes: none (pretraining needs none)"]
    lines = [f"classes: {len(classes)}, {unlabelled} {things} without a label"]
    for name, counts in classes.items():
        shown = ", ".join(f"{part} {n}" for part, n in counts.items() if parts[part])
        lines.append(f"  {name}: {shown}")
    return lines


def finding_lines(
    unreadable: Pairs, duplicates: Pairs, leaks: Pairs, contradictions: Pairs, things: str
) -> list[str]:
    """Return the lines of a report about everything that looks wrong.

    Example:

        >>> finding_lines((), (("a.png", "b.png"),), (), (), "pictures")[:3]
        ['unreadable: none', 'equal pictures within one part: 1', '  a.png = b.png']
    """
    causes = _by_cause(unreadable, lambda pair: pair[1]) or [("unreadable", [])]
    broken = [
        line
        for title, pairs in causes
        for line in listed(title, [f"{path}: {reason}" for path, reason in pairs])
    ]
    return [
        *broken,
        *listed(f"equal {things} within one part", [" = ".join(pair) for pair in duplicates]),
        *listed("leaks between parts", [" = ".join(pair) for pair in leaks]),
        *listed(f"equal {things} with different labels", [" = ".join(pair) for pair in contradictions]),
    ]


def _by_cause(found: Sequence[Found], reason_of: Callable[[Found], str]) -> list[tuple[str, list[Found]]]:
    """Group the unreadable files, each group with a title: damaged or unknown files, and too large ones."""
    large = [each for each in found if is_too_large(reason_of(each))]
    broken = [each for each in found if not is_too_large(reason_of(each))]
    return [(title, some) for title, some in (("unreadable", broken), (TOO_LARGE, large)) if some]


def listed(title: str, found: Sequence[str]) -> list[str]:
    """Return a title with the number of entries, and the first of the entries.

    Example:

        >>> listed("unreadable", ["a.png: got 0 bytes"])
        ['unreadable: 1', '  a.png: got 0 bytes']
        >>> listed("unreadable", [])
        ['unreadable: none']
    """
    if not found:
        return [f"{title}: none"]
    more = [f"  … and {len(found) - LISTED} more"] if len(found) > LISTED else []
    return [f"{title}: {len(found)}", *(f"  {line}" for line in found[:LISTED]), *more]


def is_too_large(reason: str) -> bool:
    """Return True if the reason of an unreadable file is that it has too many pixels.

    Example:

        >>> is_too_large(f"got 90000 x 90000 {TOO_MANY} 1,000"), is_too_large("got 0 bytes")
        (True, False)
    """
    return TOO_MANY in reason


def skipped_words(reasons: Sequence[str]) -> str:
    """Return the number of unreadable files in words, with the too large ones; "" if there are none.

    Example:

        >>> skipped_words(["damaged", "damaged"])
        '2 unreadable files'
    """
    large = sum(map(is_too_large, reasons))
    broken = len(reasons) - large
    parts = [f"{broken} unreadable file{'' if broken == 1 else 's'}"] if broken else []
    if large:
        noun = "" if broken else f" file{'' if large == 1 else 's'}"
        parts.append(f"{large}{noun} {TOO_LARGE}")
    return " and ".join(parts)
