"""Peak memory of a step of pretraining, each contender in a process of its own.

What is told is the most that the process ever held in memory, less what it held when all was imported and
a tiny network of the same kind had made a step.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from kakera.bench import foreign
from kakera.bench.contest import OURS, Contender, ResultUnit, Work
from kakera.bench.networks import FAST, mae, vit
from kakera.bench.peers import MAES, installed
from kakera.model.configs import SIZES

STEPS = 2  # in the second one the optimiser's moments are there from the start
TINY = (SIZES["nano"], 8, 2)


def memory(_: Path, *, size: str, patch: int, side: int, batch: int) -> Work:
    """In MiB; less is better."""
    there, absent = installed(MAES)
    contenders = [Contender(who, child(who, size, patch, side, batch)) for who in (OURS, FAST, *there)]
    return Work(contenders, 1, ResultUnit("MiB", rate=False, scale=2**-20), not_installed=absent, warm=False)


def child(who: str, size: str, patch: int, side: int, batch: int) -> Callable[[], float]:
    """A process that says how many bytes it took."""
    numbers = (patch, side, batch, torch.get_num_threads())
    command = [
        sys.executable,
        "-m",
        "kakera.bench.memory",
        who,
        size,
        *map(str, numbers),
        foreign.peers_folder(),
    ]

    def run() -> float:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(done.stdout.splitlines()[-1])

    return run


def main(who: str, size: str, patch: str, side: str, batch: str, threads: str, apart: str) -> int:
    """Bytes that the steps took."""
    torch.set_num_threads(int(threads))
    if apart:
        foreign.add_peers_folder(apart)
    mae(who, *TINY)()
    before = _most()
    step = mae(who, vit(size, int(patch)), int(side), int(batch))
    for _ in range(STEPS):
        step()
    return _most() - before


def _most() -> int:
    """The most bytes that this process held; on Linux its own alone, which a parent's do not raise."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
