"""One process trains into a run folder at a time.

The lock is the kernel's, on `.lock` in the folder, and is gone with the process, however that ends; a record
lock, since children, such as those that read pictures, do not inherit it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from kakera.errors import RunError, sentence
from kakera.storage import storing

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Generator[int, None, None]:
    """Hold the folder; gives the open file of its lock. Raises RunError where another process holds it.

    On a file system without locks it warns.
    """
    path = folder / LOCK
    with storing(path):
        place = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(place, folder)
        with suppress(OSError):  # who holds it is a courtesy
            os.ftruncate(place, 0)
            os.write(place, f"process {os.getpid()} on {os.uname().nodename}\n".encode())
        yield place
    finally:
        os.close(place)


def _lock(place: int, folder: Path) -> None:
    try:
        fcntl.lockf(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            print(f"kakera: {folder} cannot be locked ({error.strerror}): start only one", file=sys.stderr)
            return
        holder = os.pread(place, 200, 0).decode(errors="replace").strip() or "another process"
        raise RunError(
            sentence(
                str(folder),
                got=f"a run that {holder} is training",
                expected="one that nobody is training",
                do="wait for it, or choose another --out",
            )
        ) from error
