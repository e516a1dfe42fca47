"""Downloads into the cache folder: complete, with a checksum test, and once for all processes."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from filelock import FileLock

from kakera.errors import DataError, StorageError
from kakera.storage import whole_file

VARIABLE = "KAKERA_CACHE"
ATTEMPTS = 3
PAUSE = 0.5  # seconds after the first attempt, doubled after each
PATIENCE = 60  # seconds without a byte, after which a download has failed
PIECE = 1 << 20
ADVICE = "check the address, or run the command again"


def cache_folder() -> Path:
    """Return the cache folder: the environment variable KAKERA_CACHE, else the platform's cache folder.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     str(cache_folder())
        'cache'
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "kakera"


def download(
    address: str, path: Path, *, sha256: str = "", md5: str = "", again: bool = False, do: str = ADVICE
) -> Path:
    """Download a file to `path` if it does not exist there, and return `path`.

    With `again` an existing file is downloaded again. `sha256` or `md5` is the expected checksum; without one
    nothing is checked. `do` is the advice in errors. If several processes request the same file, one of them
    downloads it and the others wait. Raises DataError if the download fails, and StorageError if the file
    cannot be written.

    Example:

        >>> size = Path("original.txt").write_text("text")
        >>> copy = download(Path("original.txt").absolute().as_uri(), Path("folder/copy.txt"))
        >>> copy.name, copy.read_text()
        ('copy.txt', 'text')
    """
    kind, checksum = ("md5", md5) if md5 else ("sha256", sha256)
    if path.exists() and not again:
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if not path.exists() or again:
                _attempt(address, path, kind, checksum, do)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            str(path), got=error.strerror or error, expected="room to write", do=f"set {VARIABLE}"
        ) from error
    return path


def _attempt(address: str, path: Path, kind: str, checksum: str, do: str) -> None:
    fault = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return _download(address, path, kind, checksum)
        except urllib.error.HTTPError as error:
            error.close()  # an HTTPError is also an open response
            fault = f"no file ({error})"
            if 400 <= error.code < 500 and error.code not in (408, 429):
                break
        except _BrokenError as error:
            fault = f"an incomplete download ({' '.join(str(error).split())})"
    raise DataError(address, got=fault, expected="the complete file", do=do)


class _BrokenError(Exception):
    """An error of the connection, not of the disk."""


def _download(address: str, path: Path, kind: str, checksum: str) -> None:
    digest, came = hashlib.new(kind, usedforsecurity=False), 0
    try:
        answer: Any = urllib.request.urlopen(address, timeout=PATIENCE)
    except urllib.error.HTTPError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _BrokenError(str(error)) from error
    with answer, whole_file(path) as file:
        promised = answer.headers.get("Content-Length")
        while piece := _piece(answer):
            digest.update(piece)
            came += len(piece)
            file.write(piece)
        if promised is not None and came != int(promised):
            raise _BrokenError(f"{came} of {promised} bytes")
        found = digest.hexdigest()
        if checksum and found != checksum:
            raise _BrokenError(f"checksum {found[:12]}… instead of {checksum[:12]}…")


def _piece(answer: Any) -> bytes:
    try:
        return answer.read(PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(str(error)) from error
