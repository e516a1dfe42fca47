"""Folders of files: one folder a class, with or without train and test above, or no classes at all."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from kakera.data import images
from kakera.data.dataset import Dataset
from kakera.data.findings import left_lines
from kakera.data.layout import arrange
from kakera.data.media import (
    SUFFIXES,
    Kind,
    files_below,
    kind_of,
    kind_suffixes,
    left_below,
    natural,
    opened,
    other_kind,
)
from kakera.data.tree import Tree, suffix_of, tree
from kakera.errors import DataError, printable, sentence


def open_folder(folder: Path, channels: int | None, kind: Kind = "any") -> tuple[Dataset, bool]:
    """The pictures or recordings of a folder, and whether its sub-folders split them. Raises DataError.

    `kind` chooses where both are there; else what most are is taken. All that is not is named in `left`.
    """
    below = tree(folder)
    names = [name for name in below.names if suffix_of(name) in SUFFIXES]
    kind = kind_of(names, kind)
    taken = sorted((name for name in names if suffix_of(name) in kind_suffixes(kind)), key=natural)
    if not taken:
        raise _nothing(folder, kind, names, below)
    found = arrange(printable(folder), [name.split("/") for name in taken], kind)
    labels = [class_name(label) for *_, label in found.rows]
    classes = tuple(sorted({label for label in labels if label}, key=natural))
    number = {label: code for code, label in enumerate(classes)} | {"": -1}
    pictures, chosen = opened([folder / taken[row] for row, *_ in found.rows], channels, kind=kind)
    dataset = Dataset(
        printable(folder),
        pictures,
        channels=chosen,
        split=np.array([part for _, part, _ in found.rows]),
        classes=classes,
        labels=np.array([number[label] for label in labels]) if classes else None,
        left=(*_below(folder, (*found.left, *other_kind(names, kind))), *left_below(below)),
        emptied=_emptied(below, taken, found.above),
        notes=(
            *map(printable, found.notes),
            *alike(classes),
        ),
    )
    return dataset, found.divided


def class_name(folder: str) -> str:
    """Return what to call the class of a folder: one form of each letter, also where it is not UTF-8."""
    return unicodedata.normalize("NFC", printable(folder))


def alike(classes: Sequence[str]) -> list[str]:
    """Return a sentence on classes whose names differ in case or blanks alone."""
    folded = Counter("".join(name.casefold().split()) for name in classes)
    same = [name for name in classes if folded["".join(name.casefold().split())] > 1]
    return [f"classes whose names differ in case or blanks alone: {', '.join(same)}"] if same else []


def _below(folder: Path, names: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(printable(f"{folder}/{name}"), why) for name, why in names]


def _emptied(below: Tree, taken: Collection[str], above: Collection[tuple[str, ...]]) -> tuple[str, ...]:
    """Folders that would be a class or a part if any of their files were taken."""

    def place(name: str) -> str:
        """The innermost such folder that a file lies in."""
        path = name.split("/")
        depths = [len(one) for one in above if len(path) > len(one) + 1 and tuple(path[: len(one)]) == one]
        return "/".join(path[: max(depths) + 1]) if depths else ""

    if len(taken) == len(below.names):
        return ()
    full, chosen = {place(name) for name in taken}, set(taken)
    empty = {folder for n in below.names if n not in chosen and (folder := place(n)) not in full}
    return tuple(printable(folder) for folder in sorted(empty, key=natural) if folder)


def _nothing(folder: Path, kind: Kind, names: Sequence[str], below: Tree) -> DataError:
    """The error of a folder without a file to take, with the first of what is there instead."""
    suffixes = SUFFIXES if kind == "any" or not names else kind_suffixes(kind)
    got = f"no {kind.removesuffix('s')}" if names else "no picture and no recording"
    left = left_lines([*_below(folder, other_kind(names, kind)), *left_below(below)], ())
    return DataError(
        sentence(
            printable(folder),
            got=", but ".join([got, *left[:1]]),
            expected=f"files ending in {', '.join(sorted(suffixes))}",
            do="name the folder that holds them",
        )
    )


def pictures_below(root: Path) -> list[Path]:
    """Files with a picture's suffix, below `root`, in natural order; hidden ones are passed over."""
    return files_below(root, images.SUFFIXES)
