"""A lock so that only one process, and one thread of it, trains in a run folder at a time.

It is a kernel lock on `.lock` in the folder, so the kernel removes it when the process ends in any way. It is
a record lock because child processes, such as data loading processes, do not inherit it. A record lock does
not work between the threads of a process, and is lost when one of them closes the file. Therefore this module
also counts the locks of its own process, before it opens the file.
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
] = {}  # (device, inode) of each lock file that this process holds, and the process number
_one_at_a_time = threading.Lock()


@contextmanager
def locked(folder: Path) -> Generator[int, None, None]:
    """Lock the folder and yield the file descriptor of the lock.

    Raises RunError if another process or thread holds the lock. Prints a warning on a file system without
    locks.

    Example:

        >>> with locked(Path()):
        ...     Path(".lock").exists()
        True
    """
    with _one_at_a_time:
        place, key = _taken(folder)
    try:
        with suppress(OSError):  # the holder's name is only for the error message
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
            text = f"kakera: warning: cannot lock {folder} ({error.strerror}): do not start two runs there"
            print(text, file=sys.stderr)
            return
        holder = os.pread(place, 200, 0).decode(errors="replace").strip() or "another process"
        raise _held(folder, holder) from error


def _held(folder: Path, holder: str) -> RunError:
    got, do = f"a folder that {holder} is writing", "wait for it, or choose another --out"
    return RunError(str(folder), got=got, expected="a run folder that is not in use", do=do)
