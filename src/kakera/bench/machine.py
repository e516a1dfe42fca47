"""A description of this machine, and its limit: the rate of matrix products."""

from __future__ import annotations

import datetime
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

import kakera
from kakera.model.linear import linear

SIDE = 2048  # rows of the matrices: so large that the caches do not matter
SIDE_ON_GPU = 8192
SECONDS = 1.0


def describe(device: str = "cpu") -> dict[str, Any]:
    """Return the processor, its instructions, cores, threads, versions and the day; also the GPU if used.

    Example:

        >>> sorted(describe())[:3]
        ['cores', 'day', 'instructions']
    """
    gpu = {} if device == "cpu" else {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        **gpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kakera": kakera.__version__,
        "day": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }


@torch.inference_mode()
def matrix_rate() -> float:
    """Measure floating-point operations per second of fp32 matrix products: the best rate of about a second.

    kakera uses two libraries for them; the faster one counts.
    """
    left, right = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    best, ends = 0.0, time.perf_counter() + SECONDS
    while time.perf_counter() < ends or not best:
        for product in (torch.mm, lambda x, y: linear(x, y, None)):
            began = time.perf_counter()
            product(left, right)
            best = max(best, 2 * SIDE**3 / (time.perf_counter() - began))
    return best


def gpu_rate() -> float:
    """Measure the same rate for bf16 products on the GPU, with random numbers, because zeros are faster."""
    left, right = (
        torch.randn(SIDE_ON_GPU, SIDE_ON_GPU, device="cuda", dtype=torch.bfloat16) for _ in range(2)
    )
    best, ends = 0.0, time.perf_counter() + SECONDS
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    while time.perf_counter() < ends or not best:
        begin.record()
        torch.mm(left, right)
        end.record()
        torch.cuda.synchronize()
        best = max(best, 2 * SIDE_ON_GPU**3 / (begin.elapsed_time(end) / 1000))
    return best


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
