"""Suppression of the messages that C libraries print on stderr; Python's own output stays."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

_lock = threading.Lock()
_depth = 0
_before: int | None = None
_nowhere: int | None = None


def _forked() -> None:
    """Reset the state in a forked process, in which no other thread is inside of `quiet`."""
    global _lock, _depth
    _lock = threading.Lock()
    if _depth and (stream := _stream()) is not None:
        stream.value = _before
    _depth = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def quiet() -> Generator[None]:
    """Redirect C's `stderr` to /dev/null in the `with` block, in all threads; only possible with glibc.

    Example:

        >>> with quiet():
        ...     print("the output of Python stays")
        the output of Python stays
    """
    global _depth, _before
    stream = _stream()
    with _lock:
        _depth += 1
        if _depth == 1 and stream is not None:
            _before, stream.value = stream.value, _nowhere
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and stream is not None:
                stream.value = _before


@cache
def _stream() -> Any:
    """Return C's variable `stderr`, which can be set only in glibc; None on other systems."""
    global _nowhere
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    _nowhere = library.fopen(b"/dev/null", b"w")
    return ctypes.c_void_p.in_dll(library, "stderr") if _nowhere else None
