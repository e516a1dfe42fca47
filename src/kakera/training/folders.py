"""The default run folder, for commands without `--out`. Imports no large library."""

from __future__ import annotations

from pathlib import Path

from kakera.errors import OptionError


def default_folder(verb: str, data: str) -> str:
    """Return the default run folder: `runs/pretrain-flowers` for `pretrain pictures/flowers`.

    Raises OptionError if the data has no name.

    Example:

        >>> default_folder("pretrain", "pictures/flowers")
        'runs/pretrain-flowers'
    """
    name = Path(data).resolve().stem
    if not name:
        raise OptionError("--out", got="nothing", expected="a run folder", do="set one")
    return str(Path("runs") / f"{verb}-{name}")
