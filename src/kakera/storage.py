"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kakera.errors import StorageError


@contextmanager
def storing(path: Path) -> Generator[None]:
    """What the system refuses within is a StorageError about `path`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            str(path), got=error.strerror or error, expected="room to write", do=_what_to_do(error.errno)
        ) from error


def _what_to_do(number: int | None) -> str:
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "allow writing there; nothing is lost"
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ESTALE):
        return "look at what became of the folder, or choose another"
    return "free some; nothing is lost"


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """A file to write into that takes its name at the end. Raises StorageError."""
    with _neighbour(path) as temporary, temporary.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, content: bytes, *, parents: bool = True) -> None:
    """All of it or nothing; without `parents` its folder must exist. Raises StorageError."""
    with _neighbour(path, parents) as temporary, _opened(temporary, os.O_EXCL) as place:
        _write(place, content)
        os.fsync(place)


def append(path: Path, content: bytes) -> None:
    """At the end of a file, which may be new; it is not synced. Raises StorageError."""
    with storing(path), _opened(path, os.O_APPEND) as place:
        _write(place, content)


@contextmanager
def _neighbour(path: Path, parents: bool = True) -> Generator[Path]:
    """Where to write first; at the end it takes the name.

    The folder is synced too: after a power cut what was written first is there, if what came later is.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with storing(path):
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
            _sync(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


@contextmanager
def _opened(path: Path, flags: int) -> Generator[int]:
    place = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o666)
    try:
        yield place
    finally:
        os.close(place)


def _write(place: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(place, rest) :]


def _sync(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot sync folders
            raise
    finally:
        os.close(place)
