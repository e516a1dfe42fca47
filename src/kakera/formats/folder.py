"""Writing a folder completely or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from kakera.errors import RunError, StorageError, sentence


def require_free(folder: Path) -> None:
    """Check that `folder` does not exist or is empty. Raises RunError otherwise.

    Example:

        >>> write_folder(Path("used"), {"notes.txt": b"first run"})
        >>> try:
        ...     require_free(Path("used"))
        ... except RunError as error:
        ...     print(error)
        used: got a path that already exists, expected a new folder; choose another
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise RunError(
            str(folder), got="a path that already exists", expected="a new folder", do="choose another"
        )


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder, completely or not at all.

    A temporary folder beside it is filled, synced to disk and renamed. Raises RunError if `folder` already
    exists, StorageError if it cannot be written.

    Example:

        >>> write_folder(Path("model"), {"notes.txt": b"trained on spectra"})
        >>> Path("model/notes.txt").read_text()
        'trained on spectra'
    """
    require_free(folder)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            with (temporary / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(folder)
    except OSError as error:
        message = sentence(
            str(folder),
            got=error.strerror or error,
            expected="room to write",
            do="free some disk space; nothing is lost",
        )
        raise StorageError(message) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
