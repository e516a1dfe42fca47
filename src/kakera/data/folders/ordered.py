"""The files of a folder tree in natural order, and the folder of each file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.data.folders.tree import Tree, split
from kakera.data.names import Names, NamesBuilder, natural


@dataclass(frozen=True)
class Ordered:
    """The ordered files: `names` (n,) relative to the root, `where` (n,) the number of each file's folder.

    See `in_order`.
    """

    names: Names
    where: NDArray[np.int32]
    folders: tuple[str, ...]


def in_order(found: Tree) -> Ordered:
    """Return all files in the natural order of their names.

    Folders follow one another as their files do. The exception is a folder inside another, or two folders
    whose names differ only in zeros before a number: their files are sorted together.

    Example:

        >>> from pathlib import Path
        >>> from kakera.data.folders.tree import tree
        >>> for name in ("b/10.png", "b/9.png", "a/1.png"):
        ...     Path(name).parent.mkdir(exist_ok=True)
        ...     Path(name).touch()
        >>> [*in_order(tree(Path("."))).names]
        ['a/1.png', 'b/9.png', 'b/10.png']
    """
    keys = {name: natural(f"{name}/")[0] if name else "" for name in found.folders}
    folders = sorted(found.folders, key=lambda name: (keys[name], name))
    builder, places = NamesBuilder(), list[NDArray[np.int32]]()
    for first, last in _groups([keys[name] for name in folders]) if folders else ():
        inside = [_files(found, name) for name in folders[first:last]]
        numbers = np.repeat(np.arange(first, last, dtype=np.int32), [*map(len, inside)])
        names = [name for names in inside for name in names]
        if last - first > 1:
            order = sorted(range(len(names)), key=[*map(natural, names)].__getitem__)
            names, numbers = [names[row] for row in order], numbers[order]
        builder.extend(names)
        places.append(numbers)
    where = np.concatenate(places) if places else np.zeros(0, np.int32)
    return Ordered(builder.names(), where, tuple(folders))


def _groups(keys: list[str]) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of runs of keys that start with the run's first key; such keys are neighbours."""
    first = 0
    for row in range(1, len(keys) + 1):
        if row == len(keys) or not keys[row].startswith(keys[first]):
            yield first, row
            first = row


def _files(found: Tree, folder: str) -> list[str]:
    before = f"{folder}/" if folder else ""
    return [before + name for name in split(found.folders[folder])]
