"""Whether memory that is freed is kept for the next step, or given back to the system."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, ARENA_MAX = -1, -2, -3, -8  # as glibc's mallopt(3) numbers them
SMALLEST = 2**17  # bytes: where it stands at first; it would rise with what is freed
LARGEST = 32 * 2**20  # bytes: the highest MMAP_THRESHOLD that glibc takes


def keep_freed_memory() -> bool:
    """Have glibc hold on to what is freed; whether it does. Elsewhere nothing happens.

    By itself it gives large blocks back to the system, and each step of a large model gets the same ones
    again, page by page. With this a step of MAE ViT-B/16 on two cores met a third of the page faults, and
    took nine tenths of the time and the same memory.
    """
    return _set({MMAP_THRESHOLD: LARGEST, TOP_PAD: 8 * LARGEST, TRIM_THRESHOLD: 2**31 - 1})


def few_arenas() -> bool:
    """Have glibc keep the memory of all threads in two places, not in eight a core; whether it does.

    What many threads take and free for a moment is given back more completely.
    """
    return _set({ARENA_MAX: 2, MMAP_THRESHOLD: SMALLEST})


def give_back() -> bool:
    """Have glibc give freed memory back to the system; whether it does. Elsewhere nothing happens."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError, TypeError):  # another libc, another system
        return False


def _set(values: dict[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another libc, another system
        return False
    return all(mallopt(name, value) for name, value in values.items())
