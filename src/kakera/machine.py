"""What this machine offers: cores, memory that is still free, a GPU. torch is imported only to measure."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

MATRIX = 1024  # rows of the square matrices whose product is timed
CPU_GFLOPS = 80.0  # of one core, where nothing is measured: a processor with AVX2
GPU_GFLOPS = 100_000.0  # of one GPU in bf16, where nothing is measured
HALVES = 3.0  # times the rate of float32: from here on bf16 is worth its rounding on a CPU
LOOK = 0.1  # seconds: how long it is watched what other processes do


@dataclass(frozen=True)
class Machine:
    """`memory` and `gpu_memory` are bytes that are free now; `gflops` are those of large matrix products.

    `gpu` is the name of the GPU, empty where the CPU computes. With a GPU, `gflops` are the GPU's.
    """

    cores: int
    memory: int
    gflops: float
    gpu: str = ""
    gpu_memory: int = 0
    halves: bool = False
    """Whether the CPU multiplies matrices in bf16 at least three times as fast as in float32 (AMX)."""
    busy: float = 0.0
    """How many of the cores other processes use now."""

    @property
    def training_memory(self) -> int:
        """Free bytes where the network computes."""
        return self.gpu_memory if self.gpu else self.memory


def this_machine(device: str = "auto", *, measure: bool = True) -> Machine:
    """Look at the machine that this process runs on; `device` is an option's: auto, cpu, cuda or mps.

    `measure` times a matrix product and looks at what other processes do, a tenth of a second each;
    otherwise nominal rates are taken.
    """
    import torch

    cores, busy = usable_cores(), busy_cores() if measure else 0.0
    if device != "cpu" and torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        rate = _gflops(torch.device("cuda"), torch.bfloat16) if measure else GPU_GFLOPS
        return Machine(cores, free_memory(), rate, torch.cuda.get_device_name(), free, busy=busy)
    rate = _gflops(torch.device("cpu"), torch.float32) if measure else cores * CPU_GFLOPS
    halves = measure and _gflops(torch.device("cpu"), torch.bfloat16) > HALVES * rate
    return Machine(cores, free_memory(), rate, halves=halves, busy=busy)


def usable_cores(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The cores that this process may use: fewer than there are under taskset, SLURM or in a container.

    A container's limit in seconds of processor time is rounded down: threads that share less than their
    number of cores are all stopped for the rest of each period.
    """
    return max(1, int(min(granted_cores(), _quota(proc, cgroup))))


def granted_cores() -> int:
    """The cores that this process may be placed on, whatever their time is limited to."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_cores(stat: Path = Path("/proc/stat"), seconds: float = LOOK) -> float:
    """Return how many of the cores that this process may use are taken by other processes.

    From /proc/stat before and after `seconds`, less what this process itself computes meanwhile; where there
    is no such file, the system's load of the last minute; else 0.
    """
    before, own, began = _seconds_at_work(stat), time.process_time(), time.monotonic()
    if before is None:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        return min(load, usable_cores())
    time.sleep(seconds)
    after, own, span = _seconds_at_work(stat), time.process_time() - own, time.monotonic() - began
    if after is None:
        return 0.0
    return min(max((after - before - own) / span, 0.0), usable_cores())


def _seconds_at_work(stat: Path) -> float | None:
    """All seconds that the usable cores have been at work since the system began; None where nobody says."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(usable_cores())
    names = {f"cpu{number}" for number in usable}
    try:
        rows = [line.split() for line in stat.read_text().splitlines()]
        ticks = [
            sum(map(int, row[1:9])) - int(row[4]) - int(row[5]) for row in rows if row[:1] and row[0] in names
        ]
        return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def free_memory(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process can still take: the least of what the system, a container and ulimit leave.

    Read from /proc/meminfo, from the limits of cgroups (version 2 and 1) and from `ulimit -v`; where none
    of these can be read, 4 GiB.
    """
    found = [*_available(proc / "meminfo"), *_below_ulimit(proc / "self" / "statm")]
    for group in _groups(proc, cgroup, "memory"):
        found += _below_limit(group / "memory.max", group / "memory.current")
        found += _below_limit(group / "memory.limit_in_bytes", group / "memory.usage_in_bytes")
    return max(min(found, default=4 << 30), 0)


def _groups(proc: Path, cgroup: Path, controller: str) -> list[Path]:
    """The folders of the control groups that this process is in, each with those above it.

    In a container the root is its own; a batch system such as SLURM sets limits further down
    (/proc/PID/cgroup, cgroups(7)): "0::/system.slice/job_1" in version 2, "4:memory:/slurm/job_1" in 1.
    """
    found = [cgroup, cgroup / controller]
    try:
        lines = [
            line.split(":", 2)
            for line in (proc / "self" / "cgroup").read_text().splitlines()
            if line.count(":") > 1
        ]
    except OSError:
        return found
    for number, names, path in lines:
        root = cgroup if number == "0" and not names else cgroup / names
        if root == cgroup or controller in names.split(","):
            parts = [part for part in path.split("/") if part not in ("", "..")]
            found += [root.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    return found


def _quota(proc: Path, cgroup: Path) -> float:
    """How many cores' time the control groups leave; infinite where they set no limit."""
    least = float("inf")
    for group in _groups(proc, cgroup, "cpu"):
        for read in (_cpu_max, _cfs_quota):
            try:
                least = min(least, read(group))
            except (OSError, ValueError, IndexError, ZeroDivisionError):
                continue
    return least


def _cpu_max(group: Path) -> float:
    share, period = (group / "cpu.max").read_text().split()[:2]
    return float("inf") if share == "max" else int(share) / int(period)


def _cfs_quota(group: Path) -> float:
    share = int((group / "cpu.cfs_quota_us").read_text())
    return share / int((group / "cpu.cfs_period_us").read_text()) if share > 0 else float("inf")


def _available(path: Path) -> list[int]:
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
        return [int(lines["MemAvailable"].split()[0]) * 1024]
    except (OSError, ValueError, KeyError):
        return []


def _below_limit(limit: Path, used: Path) -> list[int]:
    """What a cgroup leaves; nothing where it sets no limit ("max", or a number beyond any memory)."""
    try:
        most = int(limit.read_text())
        return [most - int(used.read_text())] if most < 1 << 60 else []
    except (OSError, ValueError):
        return []


def _below_ulimit(statm: Path) -> list[int]:
    """What `ulimit -v` leaves of the address space."""
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most == resource.RLIM_INFINITY:
            return []
        return [most - int(statm.read_text().split()[0]) * resource.getpagesize()]
    except (ImportError, OSError, ValueError, IndexError):
        return []


def _gflops(device: object, dtype: object) -> float:
    """Rate of a product of square matrices, best of a few."""
    import torch

    assert isinstance(device, torch.device)
    assert isinstance(dtype, torch.dtype)
    a = torch.ones(MATRIX, MATRIX, device=device, dtype=dtype)
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < 0.1:
        start = time.perf_counter()
        for _ in range(3):
            torch.mm(a, a)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / 3)
    return 2 * MATRIX**3 / best / 1e9
