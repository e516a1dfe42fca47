"""The configuration of a run, `config.json`: what may differ where a run goes on, and what may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kakera.errors import RunError, sentence

CONFIG = "config.json"
FREE = {  # may differ between a run and its resumption
    *("workers", "device", "compile", "checkpoint_seconds", "out", "unreadable_share"),
    *("devices", "nodes", "strategy", "accumulate", "recompute", "timeout"),
    *("baselines", "chosen"),
}
NEW = {"time": ""}  # options that runs from before them do not have, and what those did


def require_same(path: Path, config: dict[str, Any]) -> None:
    """Raises RunError where the configuration in a file is another, but for what may differ."""
    try:
        here, there = json.loads(json.dumps(config)), json.loads(path.read_text())
        names = sorted(there.keys() | here.keys())
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(
            sentence(str(path), got=error, expected="a configuration", do="choose another --out")
        ) from error
    known = [name for name in names if name not in FREE and (name in there or here[name] != NEW.get(name))]
    other = [name for name in known if there.get(name) != here.get(name)]
    if other:
        got = ", ".join(f"{n} {there.get(n)!r} there, {here.get(n)!r} here" for n in other[:4])
        raise RunError(
            sentence(
                str(path.parent),
                got=f"a run of another configuration ({got})",
                expected="the same, to go on with it",
                do="give the same options or choose another --out",
            )
        )
