"""Start-up benchmark: the time of new Python processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kakera.bench.contest import OURS, Contender, ResultUnit, Work
from kakera.bench.peers import installed

PROGRAMS = {
    OURS: ["-m", "kakera", "--help"],
    f"{OURS}, import": ["-c", "import kakera"],
    "Python alone": ["-c", "pass"],
    "torch, import": ["-c", "import torch"],
}
PEERS = {"transformers": ["-c", "from transformers import ViTMAEForPreTraining"]}


def start(_: Path) -> Work:
    """Return the contenders: `kakera --help`, and imports."""
    available, absent = installed(PEERS)
    programs = PROGRAMS | {f"{name}, import": PEERS[name] for name in available}
    contenders = [Contender(name, process(words)) for name, words in programs.items()]
    return Work(contenders, 1, ResultUnit("ms", rate=False, scale=1000), not_installed=absent)


def process(words: list[str]) -> Callable[[], object]:
    """Return a function that runs Python with arguments until it ends.

    Example:

        >>> process(["-c", "pass"])().returncode
        0
    """
    command = [sys.executable, *words]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
