"""Where a run is written when no folder is named. Nothing heavy here."""

from __future__ import annotations

from pathlib import Path

from kakera.errors import OptionError


def default_folder(verb: str, data: str) -> str:
    """Return `runs/pretrain-flowers` for `pretrain pictures/flowers`. Raises OptionError without a name."""
    name = Path(data).resolve().stem
    if not name:
        raise OptionError("--out", got="nothing", expected="a run folder", do="name one")
    return str(Path("runs") / f"{verb}-{name}")
