"""Rates of matrix products on this machine, in float32 and bf16. torch is imported only in the functions."""

from __future__ import annotations

import time
from typing import Literal

MATRIX = 1024  # rows of the square matrices whose product is timed
HALVES = 3.0  # times the rate of float32: from this speed-up on, bf16 is worth its rounding on a CPU


def matrix_rate(
    device: Literal["cpu", "cuda"], dtype: Literal["float32", "bfloat16"], rows: int = MATRIX
) -> float:
    """Measure the rate of a product of square matrices in GFLOP/s: the best of several runs in 0.1 s.

    Example:

        >>> matrix_rate("cpu", "float32", rows=64) > 0
        True
    """
    import torch

    a = torch.ones(rows, rows, device=device, dtype=getattr(torch, dtype))
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < 0.1:
        start = time.perf_counter()
        for _ in range(3):
            torch.mm(a, a)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / 3)
    return 2 * rows**3 / best / 1e9


def is_fast_in_bf16(rate: float) -> bool:
    """Measure whether the CPU multiplies in bf16 at least three times as fast as at `rate`, in GFLOP/s.

    Smaller matrices come first: without instructions for bf16, the large ones take seconds each (PyTorch
    2.13 on a core with AVX2: 1.3 GFLOP/s in bf16, 93 in float32).

    Example:

        >>> is_fast_in_bf16(float("inf"))
        False
    """
    if matrix_rate("cpu", "bfloat16", MATRIX // 4) < rate:
        return False
    return matrix_rate("cpu", "bfloat16") > HALVES * rate


def is_bf16_supported() -> bool:
    """Return True if the CPU has instructions for products in bf16; else bf16 is slower than float32.

    Example:

        >>> is_bf16_supported() in (True, False)
        True
    """
    import torch

    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported")
    return any(getattr(torch.cpu, test, bool)() for test in tests)
