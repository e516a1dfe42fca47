"""Files that are whole or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kakera.errors import StorageError, sentence


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """A neighbour to write into; it is synced and takes the name at the end. Raises StorageError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            sentence(str(path), got=error.strerror or error, expected="room to write", do="free some")
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing. Raises StorageError."""
    with whole_file(path) as file:
        file.write(content)
