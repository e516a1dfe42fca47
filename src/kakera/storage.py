"""Atomic file writing: after an interruption, a file is either complete or absent."""

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
    """Convert every OSError of the `with` block to a StorageError about `path`.

    Example:

        >>> with storing(Path("m")):
        ...     raise OSError(errno.ENOSPC, "Full")
        Traceback (most recent call last):
        kakera.errors.StorageError: m: got Full, expected room to write; free some disk space; nothing is lost
    """
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
        return "allow kakera to write there; nothing is lost"
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ESTALE):
        return "check the folder, or choose another one"
    return "free some disk space; nothing is lost"


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """Open a temporary file for writing; rename it to `path` when the `with` block ends.

    If the block raises an error, the temporary file is deleted and `path` stays as it was. The folder of
    `path` is created if it does not exist. Raises StorageError if the system cannot write.

    Example:

        >>> path = Path("numbers.bin")
        >>> with whole_file(path) as file:
        ...     before = path.exists(), file.write(bytes(3))
        >>> before, path.stat().st_size
        ((False, 3), 3)
    """
    with _neighbour(path) as temporary, temporary.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, content: bytes, *, parents: bool = True) -> None:
    """Write `content` to the file at `path`, all of it or nothing.

    With `parents` (the default) the folder of `path` is created if it does not exist. Without `parents` the
    folder must exist. Raises StorageError if the system cannot write.

    Example:

        >>> write_atomically(Path("new/text.txt"), b"kakera")
        >>> Path("new/text.txt").read_bytes()
        b'kakera'
    """
    with _neighbour(path, parents) as temporary, _opened(temporary, os.O_EXCL) as place:
        _write(place, content)
        os.fsync(place)


def append(path: Path, content: bytes) -> None:
    """Append `content` to a file, and create the file if it does not exist.

    The file is not synced: the last lines can be lost after a power failure. Raises StorageError if the
    system cannot write.

    Example:

        >>> append(Path("log.txt"), b"first, ")
        >>> append(Path("log.txt"), b"second")
        >>> Path("log.txt").read_bytes()
        b'first, second'
    """
    with storing(path), _opened(path, os.O_APPEND) as place:
        _write(place, content)


@contextmanager
def _neighbour(path: Path, parents: bool = True) -> Generator[Path]:
    """Yield a temporary path in the same folder, and rename it to `path` at the end.

    The folder is synced too, so that files reach the disk in the order in which they are written: after a
    power failure, a later file never exists without an earlier one.
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
        if error.errno != errno.EINVAL:  # EINVAL: this file system cannot sync folders
            raise
    finally:
        os.close(place)
