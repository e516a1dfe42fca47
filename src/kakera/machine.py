"""Resources of this machine: cores, free memory, GPU. torch is imported only in `this_machine`."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from kakera.matrix_rate import is_fast_in_bf16, matrix_rate

CPU_GFLOPS = 80.0  # nominal rate of one core, used without a measurement: a processor with AVX2
GPU_GFLOPS = 100_000.0  # nominal rate of one GPU in bf16, used without a measurement
LOOK = 0.1  # seconds over which the load of other processes is measured


@dataclass(frozen=True)
class Machine:
    """The resources of a machine.

    `cores` is the number of usable cores. `memory` and `gpu_memory` are the free bytes now. `gflops` is the
    rate of large matrix products (of the GPU if one is used). `gpu` is the name of the GPU, "" if the CPU
    computes.

    Example:

        >>> Machine(cores=2, memory=8 * 2**30, gflops=160.0).training_memory // 2**30
        8
        >>> Machine(2, 8 * 2**30, 50_000.0, gpu="H200", gpu_memory=139 * 2**30).training_memory // 2**30
        139
    """

    cores: int
    memory: int
    gflops: float
    gpu: str = ""
    gpu_memory: int = 0
    halves: bool = False
    """True if the CPU multiplies matrices in bf16 at least three times as fast as in float32 (AMX)."""
    busy: float = 0.0
    """The number of cores that other processes use now."""

    @property
    def training_memory(self) -> int:
        """The free bytes on the device that computes: GPU memory with a GPU, else main memory."""
        return self.gpu_memory if self.gpu else self.memory


def this_machine(device: str = "auto", *, measure: bool = True) -> Machine:
    """Return the resources of the machine that runs this process.

    `device` is "auto", "cpu", "cuda" or "mps"; with "cpu" a GPU is ignored. With `measure` (the default) a
    matrix product is timed and the load of other processes is measured, for 0.1 s each. Without `measure`
    the result contains nominal rates.

    Example:

        >>> machine = this_machine("cpu", measure=False)
        >>> machine.gpu, machine.gflops == machine.cores * CPU_GFLOPS
        ('', True)
    """
    import torch

    cores, busy = usable_cores(), busy_cores() if measure else 0.0
    if device != "cpu" and torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        rate = matrix_rate("cuda", "bfloat16") if measure else GPU_GFLOPS
        return Machine(cores, free_memory(), rate, torch.cuda.get_device_name(), free, busy=busy)
    rate = matrix_rate("cpu", "float32") if measure else cores * CPU_GFLOPS
    return Machine(cores, free_memory(), rate, halves=measure and is_fast_in_bf16(rate), busy=busy)


def usable_cores(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the number of cores that this process may use, at least 1.

    taskset, SLURM and containers can make it smaller than the number of cores of the machine. The CPU limit
    of a container is rounded down, because with more threads than allowed cores the system stops all threads
    for the rest of each period.

    Example:

        >>> _ = Path("cpu.max").write_text("150000 100000")  # a container with one and a half cores
        >>> usable_cores(cgroup=Path())
        1
    """
    return max(1, int(min(granted_cores(), _quota(proc, cgroup))))


def granted_cores() -> int:
    """Return the number of cores in the CPU affinity of this process, without the time limits of cgroups.

    Example:

        >>> 1 <= usable_cores() <= granted_cores()
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_cores(stat: Path = Path("/proc/stat"), seconds: float = LOOK) -> float:
    """Return the number of usable cores that other processes use.

    It is measured from /proc/stat before and after `seconds`, minus the processor time of this process. If
    the file does not exist, the result is the system's load average of the last minute, or 0 without one.

    Example:

        >>> 0 <= busy_cores(seconds=0.01) <= usable_cores()
        True
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
    """Return the seconds of work of all usable cores since the system started; None if unknown."""
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
    """Return the bytes that this process can still allocate.

    It is the smallest of three values: the free memory in /proc/meminfo, the rest below the limits of cgroups
    (version 2 and 1), and the rest below `ulimit -v`. If none of these can be read, the result is 4 GiB.

    Example:

        >>> _ = Path("meminfo").write_text("MemAvailable: 1024 kB")
        >>> free_memory(proc=Path(), cgroup=Path())
        1048576
    """
    found = [*_available(proc / "meminfo"), *_below_ulimit(proc / "self" / "statm")]
    for group in _groups(proc, cgroup, "memory"):
        found += _below_limit(group / "memory.max", group / "memory.current")
        found += _below_limit(group / "memory.limit_in_bytes", group / "memory.usage_in_bytes")
    return max(min(found, default=4 << 30), 0)


def _groups(proc: Path, cgroup: Path, controller: str) -> list[Path]:
    """Return the folders of the control groups of this process, each with its parent folders.

    In a container the root folder is the container's own group. A batch system such as SLURM sets limits in
    deeper folders (/proc/PID/cgroup, cgroups(7)): "0::/system.slice/job_1" in version 2,
    "4:memory:/slurm/job_1" in version 1.
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
    """Return the CPU limit of the control groups in cores; infinite if they set no limit."""
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
    """Return the bytes left below a cgroup's limit; an empty list without a limit ("max", or above 2**60)."""
    try:
        most = int(limit.read_text())
        return [most - int(used.read_text())] if most < 1 << 60 else []
    except (OSError, ValueError):
        return []


def _below_ulimit(statm: Path) -> list[int]:
    """Return the bytes of address space left below `ulimit -v`; an empty list without a limit."""
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most == resource.RLIM_INFINITY:
            return []
        return [most - int(statm.read_text().split()[0]) * resource.getpagesize()]
    except (ImportError, OSError, ValueError, IndexError):
        return []
