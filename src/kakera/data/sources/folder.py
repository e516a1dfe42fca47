"""Folders of files: one folder a class, with or without train and test above, or no classes at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import PARTS, Dataset
from kakera.data.folders.media import (
    SUFFIXES,
    Kind,
    alike,
    files_below,
    kind_of,
    kind_suffixes,
    left_below,
    opened,
    other_kind,
)
from kakera.data.folders.ordered import Ordered, in_order
from kakera.data.folders.tree import left_lines, tree
from kakera.data.images import decode
from kakera.data.names import Paths, natural
from kakera.data.sources.layout import Layout, arrange
from kakera.errors import DataError, printable


def open_folder(folder: Path, channels: int | None, kind: Kind = "any") -> tuple[Dataset, bool]:
    """The pictures or recordings of a folder, and whether its sub-folders split them. Raises DataError.

    `kind` chooses where both are there; else what most are is taken. All that is not is named in `left`.
    """
    below = tree(folder)
    files = in_order(below)
    known = files.names.with_suffix(SUFFIXES)
    media = files.names.take(np.flatnonzero(known))
    kind = kind_of(media, kind)
    ours = files.names.with_suffix(kind_suffixes(kind))
    other = other_kind(files.names.take(np.flatnonzero(known & ~ours)), kind)
    left = [*left_below(below, files.names.take(np.flatnonzero(~known)))]
    taken = np.flatnonzero(ours)
    if not len(taken):
        raise _nothing(folder, kind, media, [*_below(folder, other), *left])
    found = _arranged(folder, files, taken, kind)
    part, label = _by_folder(found.layout, found.numbers, len(files.folders))
    rows = taken[part[files.where[taken]] >= 0]
    classes = tuple(sorted({name for name in label if name}, key=natural))
    number = {name: code for code, name in enumerate(classes)} | {"": -1}
    codes = np.array([number[name] for name in label], np.int64)
    pictures, chosen = opened(Paths(folder, files.names.take(rows), below.mark), channels, kind=kind)
    here = {files.folders[number] for number in found.numbers}
    dataset = Dataset(
        printable(folder),
        pictures,
        channels=chosen,
        split=np.array(PARTS)[part[files.where[rows]]],
        classes=classes,
        labels=codes[files.where[rows]] if classes else None,
        left_out=(*_below(folder, (*found.layout.left, *other)), *left),
        emptied=_emptied(files.folders, here, found.layout.above),
        notes=(*map(printable, found.layout.notes), *alike(classes)),
    )
    return dataset, found.layout.divided


@dataclass(frozen=True)
class _Arranged:
    """How folders are laid out; `numbers` are theirs in the tree, in the order of their first files."""

    layout: Layout
    numbers: list[int]


def _arranged(folder: Path, files: Ordered, taken: NDArray[np.int64], kind: Kind) -> _Arranged:
    """Lay out the folders that `taken` files lie in: all files of one are of one part and one class."""
    where = files.where[taken]
    numbers, firsts = np.unique(where, return_index=True)
    order = np.argsort(firsts)
    numbers, firsts = numbers[order], firsts[order]

    def inside(number: int) -> list[str]:
        names = files.names.take(taken[where == numbers[number]])
        return [name.rpartition("/")[2] for name in names]

    examples = [files.names[int(row)].split("/") for row in taken[firsts]]
    return _Arranged(arrange(printable(folder), examples, kind, inside), numbers.tolist())


def _by_folder(layout: Layout, numbers: Sequence[int], count: int) -> tuple[NDArray[np.int8], list[str]]:
    """Of each of `count` folders its part, a number in PARTS, −1 for one that is left, and its class."""
    part, label = np.full(count, -1, np.int8), [""] * count
    for row, named, below in layout.rows:
        part[numbers[row]] = PARTS.index(named)
        label[numbers[row]] = class_name(below)
    return part, label


def class_name(folder: str) -> str:
    """Return what to call the class of a folder: one form of each letter, also where it is not UTF-8."""
    return unicodedata.normalize("NFC", printable(folder))


def _below(folder: Path, names: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(printable(f"{folder}/{name}"), why) for name, why in names]


def _emptied(
    folders: Sequence[str], taken: Collection[str], above: Collection[tuple[str, ...]]
) -> tuple[str, ...]:
    """Folders that would be a class or a part if any of their files were taken."""

    def place(folder: str) -> str:
        """The innermost such folder that the files of a folder lie in."""
        path = folder.split("/") if folder else []
        depths = [len(one) for one in above if len(path) > len(one) and tuple(path[: len(one)]) == one]
        return "/".join(path[: max(depths) + 1]) if depths else ""

    full = {place(folder) for folder in taken}
    empty = {place(folder) for folder in folders if folder not in taken} - full
    return tuple(printable(folder) for folder in sorted(empty, key=natural) if folder)


def _nothing(folder: Path, kind: Kind, names: Sequence[str], left: Sequence[tuple[str, str]]) -> DataError:
    """The error of a folder without a file to take, with the first of what is there instead."""
    suffixes = SUFFIXES if kind == "any" or not names else kind_suffixes(kind)
    got = f"no {kind.removesuffix('s')}" if names else "no picture and no recording"
    return DataError(
        printable(folder),
        got=", but ".join([got, *left_lines(left, ())[:1]]),
        expected=f"files ending in {', '.join(sorted(suffixes))}",
        do="name the folder that holds them",
    )


def pictures_below(root: Path) -> Paths:
    """Files with a picture's suffix, below `root`, in natural order; hidden ones are passed over."""
    return files_below(root, decode.SUFFIXES)
