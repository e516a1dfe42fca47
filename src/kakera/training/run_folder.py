"""Checks of a run folder: whether it is free for a new run, and still belongs to a running training."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from kakera.data.checks.inventory import INVENTORY
from kakera.errors import RunError
from kakera.training.configuration import CONFIG, require_same
from kakera.training.lock import LOCK

UNREADABLE = "unreadable.csv"
UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}")  # temporary files of `write_atomically`, not renamed yet


def require_own(folder: Path, config: dict[str, Any], lock: int | None) -> bool:
    """Check that the folder still belongs to this training. Return True if `config.json` exists.

    `lock` is the file descriptor of the lock of this training. The folder belongs to this training if `.lock`
    is that file, or if there is no lock and the configuration is the same. Raises RunError if the folder was
    deleted, moved or replaced.

    Example:

        >>> _ = Path("config.json").write_text('{"epochs": 10}')
        >>> require_own(Path(), {"epochs": 10}, lock=None)
        True
    """
    there = (folder / CONFIG).exists()
    try:
        now = (folder / LOCK).stat()
    except OSError:
        now = None
    if lock is not None and now is not None:
        if os.path.samestat(now, os.fstat(lock)):
            return there
        raise _lost(folder, "another run's folder in its place")
    if not there:
        raise _lost(folder, f"no {CONFIG}: the folder was deleted or moved during the training")
    require_same(folder / CONFIG, config)
    return True


def holds_something(folder: Path) -> bool:
    """Return True if the folder contains files of something else than a run killed right after its start.

    Example:

        >>> Path("new").mkdir()
        >>> before = holds_something(Path("new"))
        >>> _ = Path("new/notes.txt").write_text("mine")
        >>> before, holds_something(Path("new"))
        (False, True)
    """
    return any(
        path.name not in (LOCK, INVENTORY) and not UNFINISHED.fullmatch(path.name)
        for path in folder.iterdir()
    )


def _lost(folder: Path, got: str) -> RunError:
    return RunError(
        str(folder),
        got=got,
        expected="the folder in which this training started",
        do="if you moved it, use its new path as --out to resume; otherwise run the same command to start "
        "again",
    )
