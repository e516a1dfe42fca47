"""Threads beside other programs: they sleep while they wait where others hold the cores, else stay awake.

OpenMP's threads wait for each other a hundred times a step. Awake, they go on within a microsecond; but where
another program holds one of the cores, they keep the core that the thread they wait for needs. Asleep, they
lose a tenth of the speed of a machine that is free. So kakera looks, twice a second, how long threads of this
process wait for a core (the second number of /proc/PID/task/*/schedstat, documentation of Linux,
scheduler/sched-stats). The libgomp that PyTorch brings lets its threads sleep at once where it knows of more
threads than cores (GNU Offloading and Multi Processing Runtime Library, 4.22 GOMP_SPINCOUNT); a second team,
which does nothing, makes it so. What is computed stays the same, bit for bit.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from kakera.machine import granted_cores, usable_cores

LOOK = 0.5  # seconds between two looks
HELD = 0.3  # of the time of one core: from here on threads that wait for a core are held up by others
FREE = 0.1  # and below this they no longer are
GRAIN = 2**15  # elements of which PyTorch gives one thread no fewer (at::internal::GRAIN_SIZE)
FEW = 2**25  # numbers of a matrix up to which one BLAS thread was measured to be as fast as two, or faster
TASKS = Path("/proc/self/task")


@contextmanager
def waits_by_load() -> Generator[None]:
    """Watch, meanwhile, whether other programs hold the cores; have OpenMP's threads wait accordingly.

    Nothing happens where the system does not say (another than Linux), or with one thread.
    """
    if seconds_without_a_core() is None:
        yield
        return
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(ended,), name="kakera contention", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()


def threads_by_quota() -> None:
    """Before PyTorch and NumPy are imported: no more threads than a container gives time to.

    Threads beyond it spin until the whole container is stopped. OMP_NUM_THREADS stays, where it is set.
    """
    if usable_cores() < granted_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))


def seconds_without_a_core(tasks: Path = TASKS) -> float | None:
    """Seconds that threads of this process were ready and had no core, all together; None where unknown."""
    waited, found = 0, False
    try:
        for task in tasks.iterdir():
            try:
                waited += int((task / "schedstat").read_text().split()[1])
                found = True
            except (OSError, IndexError, ValueError):  # a thread that has just ended, or no such file
                continue
    except OSError:
        return None
    return waited / 1e9 if found else None


def one_blas_thread(numbers: int) -> AbstractContextManager[Any]:
    """Have NumPy's and SciPy's BLAS compute with one thread meanwhile, for matrices of so many numbers.

    Logistic regression is many small products: of 3 704 × 400 it took 0.08 s with one thread and 0.21 s with
    two, beside a busy process 0.16 s and 0.4 s; of 20 000 × 768 0.5 s and 0.9 s, 0.5 s and 1.4 s. Larger
    matrices (above 2²⁵) are left to all threads.
    """
    if numbers > FEW:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")


class SecondTeam:
    """As many OpenMP threads once more, asleep: libgomp then knows of more threads than cores."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="kakera second team", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let the threads go."""
        self._ended.set()
        self._thread.join()

    def _hold(self) -> None:
        import torch

        torch.zeros(GRAIN * torch.get_num_threads()).add_(1)  # the team lives as long as this thread
        self._ended.wait()


def _watch(ended: threading.Event) -> None:
    team: SecondTeam | None = None
    before = seconds_without_a_core() or 0.0
    while not ended.wait(LOOK):
        after = seconds_without_a_core() or 0.0
        share, before = (after - before) / LOOK, after
        if team is None and share > HELD and _would_spin():
            team = SecondTeam()
        elif team is not None and share < FREE:
            team.end()
            team = None
    if team is not None:
        team.end()


def _would_spin() -> bool:
    """Whether PyTorch is there, and computes with threads that a second team makes more than the cores."""
    torch = sys.modules.get("torch")
    threads = getattr(torch, "get_num_threads", lambda: 1)()
    return threads > 1 and 2 * threads - 1 > granted_cores()
