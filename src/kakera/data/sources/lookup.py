"""Which files the rows of a table mean, and which of them are there."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.data.names import BLOCK, Names
from kakera.data.sources.rows import Rows, plain
from kakera.progress import Progress

MOST = 1_000_000  # rows whose files are all looked up


@dataclass(frozen=True)
class Found:
    """n files of a table."""

    files: Names
    """What to open; a row may say it with a mistake."""
    there: NDArray[np.bool_]
    """(n,) Whether there is such a file, as far as it was looked up."""
    keys: NDArray[np.int64]
    """(n, 2) Number and device of each file; (n, 1) a hash of its name where not all were looked up."""
    all: bool
    """Whether all were looked up."""

    @property
    def notes(self) -> list[str]:
        """What is to be said of it."""
        if self.all:
            return []
        return [f"more than {MOST:,} rows: files are looked up when they are read".replace(",", " ")]


def look_up(rows: Rows) -> Found:
    """Look up the files of up to a million rows; of more only those whose name may be mistaken."""
    folder, count = rows.table.parent, len(rows)
    every = count <= MOST
    keys = np.zeros((count, 2), np.int64) if every else rows.hashes[:, None].copy()
    there = np.ones(count, np.bool_)
    others: dict[int, str] = {}
    checked = range(count) if every else rows.odd.tolist()
    before = os.path.join(folder, "")  # noqa: PTH118  # a Path costs several times the call
    root = os.path.abspath(folder)  # noqa: PTH100  # a Path keeps ..
    with Progress(
        "look up", total=len(checked), kind="files", quiet=len(checked) < BLOCK or None
    ) as progress:
        for place, row in enumerate(checked):
            given = rows.files[row]
            name, identity = _file(folder, before, given)
            there[row] = identity is not None
            keys[row] = (identity or (0, 0)) if every else hash(plain(name, root))
            if name != given:
                others[row] = name
            if place % BLOCK == BLOCK - 1:
                progress.advance(BLOCK)
    return Found(rows.files.replaced(others), there, keys, every)


def _file(folder: Path, before: str, name: str) -> tuple[str, tuple[int, int] | None]:
    """The name of the file that a row means, and which file it is; None where there is no such file.

    Where the name alone is none, blanks around it and Windows' \\ count as mistakes.
    """
    try:
        identity = _identity(name if name.startswith("/") else before + name)
        if identity is not None:
            return name, identity
    except (OSError, ValueError):  # a Path may read it in another way
        pass
    for other in dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/"))):
        try:
            identity = _identity(str(folder / other))
            if identity is not None:
                return other, identity
        except (OSError, ValueError):  # a name that is too long, or behind a closed door
            continue
    return name, None


def _identity(path: str) -> tuple[int, int] | None:
    """Number and device of a file; None where it is none. Raises OSError, ValueError."""
    found = os.stat(path)  # noqa: PTH116  # a Path costs several times the call
    if not stat.S_ISREG(found.st_mode):
        return None
    number = found.st_ino or hash(os.path.realpath(path))
    return _signed(number), _signed(found.st_dev)


def _signed(number: int) -> int:
    """64 bits as numpy holds them."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
