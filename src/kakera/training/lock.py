"""One process, and one thread of it, trains into a run folder at a time.

The lock is the kernel's, on `.lock` in the folder, and is gone with the process, however that ends; a record
lock, since children, such as those that read pictures, do not inherit it. To the threads of one process it
says nothing, and is lost where one of them closes the file: these are counted here, before it is opened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from kakera.errors import RunError
from kakera.storage import storing

LOCK = ".lock"
_own: dict[
    tuple[int, int], int
] = {}  # device and number of each lock that this process holds, and its number
_one_at_a_time = threading.Lock()


@contextmanager
def locked(folder: Path) -> Generator[int, None, None]:
    """Hold the folder; gives the open file of its lock. Raises RunError where somebody else holds it.

    On a file system without locks it warns.
    """
    with _one_at_a_time:
        place, key = _taken(folder)
    try:
        with suppress(OSError):  # who holds it is a courtesy
            os.ftruncate(place, 0)
            os.write(place, f"process {os.getpid()} on {os.uname().nodename}\n".encode())
        yield place
    finally:
        with _one_at_a_time:
            os.close(place)
            del _own[key]


def _taken(folder: Path) -> tuple[int, tuple[int, int]]:
    path = folder / LOCK
    with suppress(OSError):
        there = path.stat()
        if _own.get((there.st_dev, there.st_ino)) == os.getpid():
            raise _held(folder, "another thread of this process")
    with storing(path):
        place = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(place, folder)
        here = os.fstat(place)
    except BaseException:
        os.close(place)
        raise
    key = (here.st_dev, here.st_ino)
    _own[key] = os.getpid()
    return place, key


def _lock(place: int, folder: Path) -> None:
    try:
        fcntl.lockf(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            print(f"kakera: {folder} cannot be locked ({error.strerror}): start only one", file=sys.stderr)
            return
        holder = os.pread(place, 200, 0).decode(errors="replace").strip() or "another process"
        raise _held(folder, holder) from error


def _held(folder: Path, holder: str) -> RunError:
    got, do = f"a run that {holder} is training", "wait for it, or choose another --out"
    return RunError(str(folder), got=got, expected="one that nobody is training", do=do)
