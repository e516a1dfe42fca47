"""What this machine is, and the most it could do: its rate of matrix products."""

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

SIDE = 2048  # of the matrices: large enough for the caches not to matter
SECONDS = 1.0


def describe() -> dict[str, Any]:
    """Processor, cores, threads, versions and the day."""
    return {
        "processor": _processor(),
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
    """Floating-point operations a second of fp32 matrix products: the best of about a second.

    By either of the libraries that kakera uses, whichever is faster here.
    """
    left, right = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    best, ends = 0.0, time.perf_counter() + SECONDS
    while time.perf_counter() < ends or not best:
        for product in (torch.mm, lambda x, y: linear(x, y, None)):
            began = time.perf_counter()
            product(left, right)
            best = max(best, 2 * SIDE**3 / (time.perf_counter() - began))
    return best


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
