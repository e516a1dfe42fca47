"""Whether a folder is free for a run, and still the one that a training began in."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from kakera.data.checks.inventory import INVENTORY
from kakera.errors import RunError
from kakera.training.configuration import CONFIG, require_same
from kakera.training.lock import LOCK

UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}")  # what `write_atomically` has not renamed yet


def require_own(folder: Path, config: dict[str, Any], lock: int | None) -> bool:
    """Return whether `config.json` is there; `lock` is the open file of the lock that this training holds.

    The folder is this training's where `.lock` is that file, or where nobody has a lock and the
    configuration is the same. Raises RunError where it was deleted, moved or replaced by another.
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
        raise _lost(folder, f"no {CONFIG} any more: the folder was deleted or moved")
    require_same(folder / CONFIG, config)
    return True


def holds_something(folder: Path) -> bool:
    """Return whether there is more than a run leaves that was killed before it had a configuration."""
    return any(
        path.name not in (LOCK, INVENTORY) and not UNFINISHED.fullmatch(path.name)
        for path in folder.iterdir()
    )


def _lost(folder: Path, got: str) -> RunError:
    return RunError(
        str(folder),
        got=got,
        expected="the folder that this training began in",
        do="where it was moved, give its new place as --out and it goes on; else the same command begins "
        "again",
    )
