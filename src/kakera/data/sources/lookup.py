"""The files of a table's rows, and a check that each file exists."""

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

MOST = 1_000_000  # rows up to which every file is looked up: a million calls take seconds


@dataclass(frozen=True)
class LookedUpFiles:
    """The n files of a table. See `look_up`."""

    files: Names
    """Names to open, with mistakes in the table corrected."""
    exists: NDArray[np.bool_]
    """(n,) True if the file exists, or was not looked up."""
    keys: NDArray[np.int64]
    """(n, 2) Inode and device of each file; or (n, 1) a hash of its name if not all files were looked up."""
    all: bool
    """True if all files were looked up."""

    @property
    def notes(self) -> list[str]:
        """Notes for the user."""
        if self.all:
            return []
        return [
            f"more than {MOST:,} rows: missing files are detected only when they are read".replace(",", " ")
        ]


def look_up(rows: Rows) -> LookedUpFiles:
    """Look up the files of up to a million rows; of a larger table only the files with a suspicious name.

    Example:

        >>> from kakera.data.sources.rows import rows_of
        >>> _ = Path("a.png").touch()
        >>> _ = Path("one.csv").write_text(chr(10).join(["file", "a.png", "missing.png"]))
        >>> look_up(rows_of(Path("one.csv"))).exists.tolist()
        [True, False]
    """
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
    return LookedUpFiles(rows.files.replaced(others), there, keys, every)


def _file(folder: Path, before: str, name: str) -> tuple[str, tuple[int, int] | None]:
    """Return the corrected file name of a row and the file's identity; None if there is no such file.

    If the name itself does not exist, spaces around it and Windows' \\ are treated as mistakes.
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
        except (OSError, ValueError):  # the name is too long, or a folder of it cannot be opened
            continue
    return name, None


def _identity(path: str) -> tuple[int, int] | None:
    """Return inode and device of a file; None if the path is not a file. Raises OSError, ValueError."""
    found = os.stat(path)  # noqa: PTH116  # a Path costs several times the call
    if not stat.S_ISREG(found.st_mode):
        return None
    number = found.st_ino or hash(os.path.realpath(path))
    return _signed(number), _signed(found.st_dev)


def _signed(number: int) -> int:
    """Return an unsigned 64-bit number as the signed one that NumPy stores."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
