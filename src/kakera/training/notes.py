"""What was found and assumed of weights from elsewhere, on one line for people to read."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

from kakera.formats.bundle import Pretrained
from kakera.progress import is_follower


def noted(saved: Pretrained, source: str | Path) -> Pretrained:
    """Return the model after its notes, if any, were printed to stderr: once for a source in a process.

    Warnings come first. A process that follows another prints nothing.
    """
    if saved.notes and not is_follower():
        _print(str(source), saved.notes)
    return saved


@lru_cache(maxsize=64)
def _print(source: str, notes: tuple[str, ...]) -> None:
    ordered = sorted(notes, key=lambda note: not note.startswith("warning"))
    print(f"kakera: {source}: {'; '.join(ordered)}", file=sys.stderr, flush=True)
