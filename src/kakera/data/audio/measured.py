"""Cache of measurements of recording files, in memory, and on disk if the measurement was slow.

A measurement is a few arrays in the folder `recordings` of the cache. Its name is a digest of the file's
path, size and modification time, so a changed file is measured again. Many decoded samples are stored in a
separate file, to be mapped into memory. The folder can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.source import HeldFile, Source
from kakera.data.download import cache_folder
from kakera.errors import StorageError
from kakera.storage import whole_file

VERSION = 1  # of the measurements; raise it when their content changes
LONG = 0.02  # seconds: faster measurements are repeated instead of stored on disk
IN_MEMORY = 64 << 20  # bytes
ON_DISK = 64 << 30  # bytes; the files that were unused for longest are deleted first
FREE = 0.5  # share of the free disk space that the samples of one recording may use
EVERY = 256  # measurements between two checks of the folder's size

Arrays: TypeAlias = dict[str, NDArray[Any]]

_lock = threading.Lock()
_kept: OrderedDict[str, Arrays] = OrderedDict()
_written = 0


def _forked() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)  # another thread may have locked the old lock


def folder() -> Path:
    """Return the folder of the measurements.

    Example:

        >>> folder().name
        'recordings'
    """
    return cache_folder() / "recordings"


def measured(source: Source, what: str, measure: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of `measure` for this file, from the cache if it contains them.

    `what` is the name of the measurement. Raises the errors of `measure`; errors are not cached.

    Example:

        >>> measured(b"bytes of a file", "length", lambda: {"length": np.array(15)})
        {'length': array(15)}
    """
    name = _name(source, what)
    if not name:
        return measure()
    with _lock:
        if name in _kept:
            _kept.move_to_end(name)
            return _kept[name]
    found = _load(name)
    if found is None:
        began = time.perf_counter()
        found = measure()
        if time.perf_counter() - began > LONG:
            _store(name, found)
    _keep(name, found)
    return found


def forget() -> None:
    """Delete all measurements in memory; those on disk stay.

    Example:

        >>> first = measured(b"bytes of a file", "length", lambda: {"length": np.array(15)})
        >>> forget()
        >>> measured(b"bytes of a file", "length", lambda: {"length": np.array(15)}) is first
        False
    """
    with _lock:
        _kept.clear()


def store_samples(source: Source, pieces: Iterable[NDArray[np.float32]], least: int) -> bool:
    """Write decoded samples to a file, to be mapped later; return False if there is no room.

    `least` is the smallest number of bytes to expect. Raises StorageError if the file cannot be written,
    and the errors of decoding.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     store_samples(b"bytes of a file", [np.ones((3, 1), np.float32)], least=12)
        True
    """
    path = _samples_path(source)
    if path is None or not _room(least):
        return False
    written = 0
    try:
        with whole_file(path) as file:
            for piece in pieces:
                written += piece.nbytes
                if written > least and not _room(0):
                    raise StorageError("no room")
                file.write(np.ascontiguousarray(piece).data)
    except StorageError:
        return False
    return True


def mapped_samples(source: Source, samples: int, channels: int) -> NDArray[np.float32] | None:
    """Map stored samples into memory, read-only, float32 (samples, channels); None if they are not stored.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     stored = store_samples(b"bytes of a file", [np.ones((3, 1), np.float32)], least=12)
        ...     mapped_samples(b"bytes of a file", 3, 1).tolist()
        [[1.0], [1.0], [1.0]]
    """
    path = _samples_path(source)
    if path is None:
        return None
    try:
        found = np.memmap(path, np.float32, "r", shape=(samples, channels))
        if path.stat().st_size != found.nbytes:
            return None
        os.utime(path)  # mark as used now
    except (OSError, ValueError):
        return None
    return np.asarray(found)


def _name(source: Source, what: str) -> str:
    if isinstance(source, bytes):
        identity = hashlib.blake2b(source, digest_size=16).hexdigest()
    elif isinstance(source, Path | HeldFile):
        path = source.path if isinstance(source, HeldFile) else source
        try:
            state = os.stat(path)  # noqa: PTH116  # Path.stat is ten times as slow
        except OSError:
            return ""
        place = os.path.abspath(path)  # noqa: PTH100  # a Path costs several times the call
        identity = f"{place}\0{state.st_size} {state.st_mtime_ns}"
    else:
        identity = source.identity()
    if not identity:
        return ""
    whole = f"{VERSION} {what}\0{identity}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(whole, digest_size=16).hexdigest()


def _keep(name: str, arrays: Arrays) -> None:
    with _lock:
        _kept[name] = arrays
        while len(_kept) > 1 and sum(map(_bytes, _kept.values())) > IN_MEMORY:
            _kept.popitem(last=False)


def _bytes(arrays: Arrays) -> int:
    return 500 + sum(array.nbytes for array in arrays.values())


def _load(name: str) -> Arrays | None:
    path = folder() / f"{name}.npz"
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # a damaged file is measured and written again
    with suppress(OSError):
        os.utime(path)  # mark as used now
    return found


def _store(name: str, arrays: Arrays) -> None:
    """Write a measurement to disk; ignore errors, because the cache only saves time."""
    global _written
    with suppress(OSError, StorageError):
        folder().mkdir(parents=True, exist_ok=True)
        if _written % EVERY == 0:
            _make_room()
        _written += 1
        with whole_file(folder() / f"{name}.npz") as file:
            np.savez(file, allow_pickle=False, **arrays)


def _make_room() -> None:
    states = [(path.stat(), path) for path in folder().glob("[!.]*")]
    size = sum(state.st_size for state, _ in states)
    for state, path in sorted(states, key=lambda entry: entry[0].st_mtime):
        if size <= ON_DISK:
            return
        path.unlink(missing_ok=True)
        size -= state.st_size


def _samples_path(source: Source) -> Path | None:
    name = _name(source, "samples")
    return folder() / f"{name}.f32" if name else None


def _room(needed: int) -> bool:
    try:
        folder().mkdir(parents=True, exist_ok=True)
        _make_room()
        return 0 < needed + 1 <= min(ON_DISK, FREE * shutil.disk_usage(folder()).free)
    except OSError:
        return False
