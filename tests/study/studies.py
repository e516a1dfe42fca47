"""Studies of seconds, for tests: few pictures, few steps."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.small import pictures
from tests.warm import Process

MASK_RATIO: dict[str, Any] = {
    "recipe": "demo",
    "model": "nano",
    "mask_ratios": (0.5, 0.75),
    "labels": (20,),
    "seeds": 2,
    "pretrain_epochs": 1.0,
    "finetune_epochs": 1.0,
    "finetune_min_steps": 3,
}
DATA_SIZE: dict[str, Any] = {
    "recipe": "demo",
    "model": "nano",
    "sizes": ("20", "100%"),
    "rates": (1.0, 2.0),
    "shifts": (1,),
    "seeds": 2,
    "pretrain_epochs": 1.0,
    "finetune_epochs": 1.0,
    "finetune_min_steps": 3,
    "scratch_epochs": 1.0,
    "scratch_min_steps": 3,
}


def written(path: Path, train: int = 60, test: int = 20) -> Path:
    """Some of the demo's pictures as a file."""
    some = pictures(train, test)
    values = np.stack([some.pictures.read(i) for i in range(len(some))])
    np.savez(path, images=values, labels=some.labels, split=some.split)
    return path


def words(options: dict[str, Any]) -> list[str]:
    """Options as flags."""
    found: list[str] = []
    for name, value in options.items():
        found.append("--" + name.replace("_", "-"))
        found += map(str, value) if isinstance(value, tuple) else [str(value)]
    return found


def started(name: str, data: Path, out: Path, options: dict[str, Any]) -> Process:
    """The command, in a process of its own with one thread."""
    return Process("study", name, data, "--out", out, *words(options))


def ended(process: Process) -> str:
    """What it said on the way."""
    _, said = process.communicate(timeout=250)
    assert process.returncode == 0, said
    return said
