"""Leases on work units, for processes and machines that share only a folder.

A lease on "x" is the file `x.0`, then `x.1`, …; the highest number is valid. Files are created with O_EXCL,
which is atomic on every shared file system, and they are never removed. If two processes detect the same
dead lease, one creates the next file and the other one sees it. A process refreshes the modification time of
its lease. A lease is dead after its release, after its process on this machine has ended, or without refresh
for about a minute. Each observer measures this minute with its own clock; clocks are never compared.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from kakera.errors import StorageError, sentence
from kakera.storage import write_atomically

BEAT = 5.0  # seconds between two refreshes
DEAD = 60.0  # seconds without refresh after which a lease is dead


class Lease:
    """A lease of this process: `with lease: …` refreshes it, and releases it also after an error.

    Example:

        >>> with Leases(Path("units")).take("pretrain") as lease:
        ...     print(lease.path.name)
        pretrain.0
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content
        self.began = time.monotonic()
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._refresh, daemon=True)

    def __enter__(self) -> Lease:
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._beat.join()
        given_back = {**self.content, "held": False, "spent": round(self.spent, 3)}
        write_atomically(self.path, json.dumps(given_back).encode())

    @property
    def spent(self) -> float:
        """Seconds of work on this unit, including earlier leases."""
        return self.content["spent"] + time.monotonic() - self.began

    def _refresh(self) -> None:
        while not self._stop.wait(BEAT):
            with suppress(OSError):  # a failed refresh is repeated at the next beat
                os.utime(self.path)


class Leases:
    """The leases in a folder.

    Example:

        >>> leases = Leases(Path("leases"))
        >>> lease = leases.take("pretrain")
        >>> leases.take("pretrain") is None
        True
        >>> with lease:
        ...     pass
        >>> leases.take("pretrain") is None
        False
    """

    def __init__(self, folder: Path, dead: float = DEAD) -> None:
        self.folder, self.dead = folder, dead
        self._seen: dict[Path, tuple[int, float]] = {}

    def take(self, name: str) -> Lease | None:
        """Take the lease on `name`; return None while another process holds it.

        Raises StorageError if the file cannot be written.
        """
        number, spent = 0, 0.0
        newest = self._newest(name)
        if newest is not None:
            path, number = newest
            content, changed = _read(path)
            if content.get("held", True) and not self._is_dead(path, content, changed):
                return None
            number += 1
            spent = content.get("spent", 0.0)
            if content.get("held", True) and "born" in content:
                spent += max(0.0, changed / 1e9 - content["born"])
        return self._make(self.folder / f"{name}.{number}", spent)

    def spent(self, name: str) -> float:
        """Return the seconds of work on a finished unit, by all processes."""
        newest = self._newest(name)
        return _read(newest[0])[0].get("spent", 0.0) if newest else 0.0

    def _newest(self, name: str) -> tuple[Path, int] | None:
        files = [p for p in self.folder.glob(f"{name}.*") if p.suffix[1:].isdigit() and p.stem == name]
        if not files:
            return None
        path = max(files, key=lambda p: int(p.suffix[1:]))
        return path, int(path.suffix[1:])

    def _make(self, path: Path, spent: float) -> Lease | None:
        content = {
            "machine": machine(),
            "process": os.getpid(),
            "token": secrets.token_hex(8),
            "held": True,
            "spent": spent,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            place = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            with os.fdopen(place, "w") as file:
                content["born"] = os.fstat(place).st_mtime
                file.write(json.dumps(content))
        except FileExistsError:
            return None
        except OSError as error:
            message = sentence(
                str(path), got=error.strerror or error, expected="a writable disk", do="free some space"
            )
            raise StorageError(message) from error
        return Lease(path, content)

    def _is_dead(self, path: Path, content: dict[str, Any], changed: int) -> bool:
        if content.get("machine") == machine() and not _alive(content["process"]):
            return True
        now = time.monotonic()
        before, since = self._seen.get(path, (changed, now))
        if before != changed:
            since = now
        self._seen[path] = (changed, since)
        return now - since > self.dead


def machine() -> str:
    """Return an identifier of this machine or container, within which process numbers are unique.

    Example:

        >>> machine() == machine()
        True
    """
    try:
        room = Path("/proc/self/ns/pid").stat().st_ino
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return f"{socket.gethostname()} {os.getppid()}"
    return f"{socket.gethostname()} {boot} {room}"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read(path: Path) -> tuple[dict[str, Any], int]:
    """Return the content of a lease and its modification time in nanoseconds.

    The content is empty while another process writes it. The file is opened, because `stat` alone may return
    cached values on a network file system.
    """
    try:
        with path.open() as file:
            return json.loads(file.read() or "{}"), os.fstat(file.fileno()).st_mtime_ns
    except (OSError, ValueError):
        return {}, 0
