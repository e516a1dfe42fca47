"""One stage at one size: seconds, and memory above that of the imports."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from pathlib import Path

from benchmarks.growth.stages import STAGES

STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FIRST = (100, 10)  # files and classes of a turn before, which imports and fills what is filled once


def measured(name: str, files: int, classes: int, scratch: Path) -> dict[str, float | None]:
    """Wall and processor seconds; bytes at the peak above that of the imports, and what the result keeps.

    The peak is that of the work alone, with what it is given, but not of what made that. What is kept is None
    where the stage keeps nothing, or this system does not tell.
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
    """Bytes that this process holds, after what is free was given back; elsewhere than on Linux the peak."""
    gc.collect()
    if not STATUS.exists():
        return peak()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return _status("VmRSS")


def forget_peak() -> None:
    """Have the kernel count the peak from here on, where it can."""
    if PEAK.exists():
        PEAK.write_text("5")


def peak() -> int:
    """The most bytes that this process held."""
    if STATUS.exists():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
