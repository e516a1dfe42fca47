"""Folders of files: one folder per class, with or without train and test folders above, or no classes."""

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
    """Open the pictures or recordings of a folder; also return True if its subfolders are a split.

    `kind` chooses between pictures and recordings if the folder has both; "any" takes the kind of most files.
    `channels` is 1 (grey), 3 (colour), or None to detect it. All other files are listed in `left_out`. Raises
    DataError if the folder has no such file.

    Example:

        >>> from PIL import Image
        >>> for name in ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png"):
        ...     Path(name).parent.mkdir(parents=True, exist_ok=True)
        ...     Image.new("L", (8, 8)).save(name)
        >>> dataset, has_split = open_folder(Path("."), None)
        >>> dataset.classes, dataset.split.tolist(), has_split
        (('cat', 'dog'), ['test', 'train', 'train'], True)
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
    """The layout of the folders; `numbers` are their numbers in the tree, by their first files."""

    layout: Layout
    numbers: list[int]


def _arranged(folder: Path, files: Ordered, taken: NDArray[np.int64], kind: Kind) -> _Arranged:
    """Lay out the folders of the `taken` files: all files of a folder have the same part and class."""
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
    """Return for each of `count` folders its part (a number in PARTS, −1 if it is skipped) and its class."""
    part, label = np.full(count, -1, np.int8), [""] * count
    for row, named, below in layout.rows:
        part[numbers[row]] = PARTS.index(named)
        label[numbers[row]] = class_name(below)
    return part, label


def class_name(folder: str) -> str:
    """Return the class name of a folder: in Unicode's form NFC, also if the name is not valid UTF-8.

    Example:

        >>> class_name("cafe\N{COMBINING ACUTE ACCENT}") == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
        True
    """
    return unicodedata.normalize("NFC", printable(folder))


def _below(folder: Path, names: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(printable(f"{folder}/{name}"), why) for name, why in names]


def _emptied(
    folders: Sequence[str], taken: Collection[str], above: Collection[tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the folders that would be a class or a part if any of their files were readable."""

    def place(folder: str) -> str:
        """Return the innermost class or part folder that contains this folder."""
        path = folder.split("/") if folder else []
        depths = [len(one) for one in above if len(path) > len(one) and tuple(path[: len(one)]) == one]
        return "/".join(path[: max(depths) + 1]) if depths else ""

    full = {place(folder) for folder in taken}
    empty = {place(folder) for folder in folders if folder not in taken} - full
    return tuple(printable(folder) for folder in sorted(empty, key=natural) if folder)


def _nothing(folder: Path, kind: Kind, names: Sequence[str], left: Sequence[tuple[str, str]]) -> DataError:
    """Return the error for a folder without a usable file; it names the first of the other files."""
    suffixes = SUFFIXES if kind == "any" or not names else kind_suffixes(kind)
    got = f"no {kind.removesuffix('s')}" if names else "no picture and no recording"
    return DataError(
        printable(folder),
        got=", but ".join([got, *left_lines(left, ())[:1]]),
        expected=f"files ending in {', '.join(sorted(suffixes))}",
        do="choose the folder that contains the files",
    )


def pictures_below(root: Path) -> Paths:
    """Return the files below `root` that have a picture's suffix, in natural order, without hidden files.

    Example:

        >>> Path("mixed").mkdir()
        >>> _ = Path("mixed/a.png").touch(), Path("mixed/b.wav").touch()
        >>> [path.name for path in pictures_below(Path("mixed"))]
        ['a.png']
    """
    return files_below(root, decode.SUFFIXES)
