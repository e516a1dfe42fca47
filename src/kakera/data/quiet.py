"""Libraries written in C that speak to the terminal are silenced; what Python writes there stays."""

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
    """In a new process nobody is within, whatever other threads were doing."""
    global _lock, _depth
    _lock = threading.Lock()
    if _depth and (stream := _stream()) is not None:
        stream.value = _before
    _depth = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def quiet() -> Generator[None]:
    """Within it C's `stderr` leads nowhere, in all threads. It does nothing where this cannot be arranged."""
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
    """The variable that holds C's `stderr`, which only glibc lets us set."""
    global _nowhere
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    _nowhere = library.fopen(b"/dev/null", b"w")
    return ctypes.c_void_p.in_dll(library, "stderr") if _nowhere else None
