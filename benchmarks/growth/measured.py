"""Measure one stage at one size: seconds, and memory beyond the imports."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from pathlib import Path

from benchmarks.growth.stages import STAGES

STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FIRST = (100, 10)  # files and classes of a first turn, which imports modules and fills caches


def measured(name: str, files: int, classes: int, scratch: Path) -> dict[str, float | None]:
    """Return wall and CPU seconds, peak bytes beyond the imports, and bytes per file of the result.

    The peak includes the input of the work, but not its preparation. The bytes per file are None if the stage
    has no lasting result, or if this system does not report memory.
    """
    stage = STAGES[name]
    stage.work(min(files, FIRST[0]), min(classes, FIRST[1]), scratch)()
    imports = resident()
    work = stage.work(files, classes, scratch)
    before = resident()
    forget_peak()
    processor, wall = time.process_time(), time.perf_counter()
    result = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    most, after = peak(), resident()
    del result
    return {
        "seconds": wall,
        "processor seconds": processor,
        "peak": most - imports,
        "bytes a file": (after - before) / files if stage.keeps and STATUS.exists() else None,
    }


def resident() -> int:
    """Return the memory of this process in bytes, after freeing unused memory; without Linux, the peak."""
    gc.collect()
    if not STATUS.exists():
        return peak()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return _status("VmRSS")


def forget_peak() -> None:
    """Reset the peak memory of this process, if the kernel supports it."""
    if PEAK.exists():
        PEAK.write_text("5")


def peak() -> int:
    """Return the peak memory of this process in bytes."""
    if STATUS.exists():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
