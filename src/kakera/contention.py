"""Thread waiting on a shared machine: threads sleep if other programs use the cores, else they spin.

OpenMP threads wait for each other about a hundred times in each step. A spinning thread continues within a
microsecond. But if another program uses one of the cores, a spinning thread blocks the core that the slowest
thread needs. Sleeping threads are 10 % slower on a free machine. So kakera measures twice a second how long
the threads of this process wait for a core (the second number of /proc/PID/task/*/schedstat, documentation
of Linux, scheduler/sched-stats). The libgomp of PyTorch lets its threads sleep at once if it knows of more
threads than cores (GNU Offloading and Multi Processing Runtime Library, 4.22 GOMP_SPINCOUNT). A second team
of idle threads causes this. The results of all computations stay the same, bit for bit.
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

LOOK = 0.5  # seconds between two measurements
HELD = 0.3  # waiting time as a share of one core: above it, threads start to sleep
FREE = 0.1  # below this share, threads spin again
GRAIN = 2**15  # the smallest number of elements that PyTorch gives to one thread (at::internal::GRAIN_SIZE)
FEW = 2**25  # matrix elements: up to this size, one BLAS thread was measured as fast as two, or faster
TASKS = Path("/proc/self/task")


@contextmanager
def waits_by_load() -> Generator[None]:
    """Let OpenMP threads sleep while they wait, whenever other programs use the cores.

    A daemon thread measures the load during the `with` block. It does nothing on systems other than Linux, or
    if PyTorch computes with one thread.

    Example:

        >>> with waits_by_load():
        ...     total = sum(range(1000))  # here usually a training
        >>> total
        499500
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
    """Set OMP_NUM_THREADS to the CPU limit of the container. Call it before PyTorch and NumPy are imported.

    With more threads than the limit, the system stops the whole container for a part of each period. A value
    of OMP_NUM_THREADS that is already set stays.
    """
    if usable_cores() < granted_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))


def seconds_without_a_core(tasks: Path = TASKS) -> float | None:
    """Return the total seconds that threads of this process waited for a core; None if unknown.

    Example:

        >>> Path("1").mkdir()
        >>> _ = Path("1/schedstat").write_text("70000 2000000000 9")
        >>> seconds_without_a_core(Path())
        2.0
    """
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
    """Let the BLAS of NumPy and SciPy use one thread in the `with` block, for matrices of `numbers` elements.

    Logistic regression computes many small products. For 3 704 × 400 elements it took 0.08 s with one thread
    and 0.21 s with two; beside a busy process 0.16 s and 0.4 s. For 20 000 × 768 elements it took 0.5 s and
    0.9 s; beside a busy process 0.5 s and 1.4 s. Larger matrices (above 2²⁵ elements) use all threads.

    Example:

        >>> import numpy as np
        >>> with one_blas_thread(numbers=6):
        ...     product = np.ones((2, 3)) @ np.ones((3, 2))
        >>> product.shape
        (2, 2)
    """
    if numbers > FEW:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")


class SecondTeam:
    """A second team of sleeping OpenMP threads, so that libgomp knows of more threads than cores."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="kakera second team", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the threads of the team."""
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
    """Return True if PyTorch is imported and a second team makes more threads than cores."""
    torch = sys.modules.get("torch")
    threads = getattr(torch, "get_num_threads", lambda: 1)()
    return threads > 1 and 2 * threads - 1 > granted_cores()
