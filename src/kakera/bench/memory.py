"""Peak memory of a pretraining step, with a new process for each contender.

The result is the peak memory of the process, minus the peak after all imports and a step of a tiny network of
the same kind.
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

STEPS = 2  # the second step starts with the moments of the optimiser in memory
TINY = (SIZES["nano"], 8, 2)


def memory(_: Path, *, size: str, patch: int, side: int, batch: int) -> Work:
    """Return the contenders of the memory case; the unit is MiB, and smaller is better."""
    available, absent = installed(MAES)
    contenders = [Contender(who, child(who, size, patch, side, batch)) for who in (OURS, FAST, *available)]
    return Work(contenders, 1, ResultUnit("MiB", rate=False, scale=2**-20), not_installed=absent, warm=False)


def child(who: str, size: str, patch: int, side: int, batch: int) -> Callable[[], float]:
    """Return a function that runs a new process and returns the bytes that its steps needed."""
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
    """Run pretraining steps in this process and return the bytes that they needed."""
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
    """Return the peak memory of this process in bytes.

    On Linux, VmHWM is used, because ru_maxrss can include the peak of the parent process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
