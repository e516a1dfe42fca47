"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kakera.errors import StorageError, sentence


@contextmanager
def storing(path: Path) -> Generator[None]:
    """What the system refuses within is a StorageError about `path`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        got = error.strerror or error
        raise StorageError(
            sentence(str(path), got=got, expected="room to write", do="free some; nothing is lost")
        ) from error


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """A neighbour to write into; it is synced and takes the name at the end. Raises StorageError.

    The folder is synced too: after a power cut what was written first is there, if what came later is.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def write_atomically(path: Path, content: bytes) -> None:
    """All of it or nothing. Raises StorageError."""
    with whole_file(path) as file:
        file.write(content)


def append(path: Path, content: bytes) -> None:
    """At the end of a file, which may be new; it is not synced. Raises StorageError."""
    with storing(path), path.open("ab") as file:
        file.write(content)


def _sync(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot sync folders
            raise
    finally:
        os.close(place)
