"""Claims: who works on what, for processes and machines that share nothing but a folder.

A claim on "x" is the file `x.0`, then `x.1`, …: the highest number counts. Files are made with O_EXCL, which
is atomic on every shared file system, and never removed, so of two processes that find the same claim dead
one makes its successor and the other sees that it exists. While a claim is held its time of change is
refreshed; it is dead once it has been given back, once its process is gone from this machine, or once
it has not been refreshed for about a minute by the observer's own clock: clocks are never compared.
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

BEAT = 5.0  # seconds between refreshments
DEAD = 60.0  # seconds without one


class Lease:
    """One that is held: `with claim: …` keeps it fresh and gives it back at the end, whatever happens."""

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
        """Seconds of work on this, those of claims before included."""
        return self.content["spent"] + time.monotonic() - self.began

    def _refresh(self) -> None:
        while not self._stop.wait(BEAT):
            with suppress(OSError):  # a disk that hiccups is asked again
                os.utime(self.path)


class Leases:
    """All claims in a folder."""

    def __init__(self, folder: Path, dead: float = DEAD) -> None:
        self.folder, self.dead = folder, dead
        self._seen: dict[Path, tuple[int, float]] = {}

    def take(self, name: str) -> Lease | None:
        """The claim on `name`; None while another process holds it. Raises StorageError."""
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
        """Seconds of work on what is finished, whoever did it."""
        newest = self._newest(name)
        return _read(newest[0])[0].get("spent", 0.0) if newest else 0.0

    def _newest(self, name: str) -> tuple[Path, int] | None:
        found = [p for p in self.folder.glob(f"{name}.*") if p.suffix[1:].isdigit() and p.stem == name]
        if not found:
            return None
        path = max(found, key=lambda p: int(p.suffix[1:]))
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
                str(path), got=error.strerror or error, expected="room to write", do="free some"
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
    """This machine, or the container: process numbers mean the same within it."""
    try:
        room = Path("/proc/self/ns/pid").stat().st_ino
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # no Linux
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
    """What a claim says, empty while it is being written, and its time of change in nanoseconds.

    Opened, not only looked at: a network file system then asks the server.
    """
    try:
        with path.open() as file:
            return json.loads(file.read() or "{}"), os.fstat(file.fileno()).st_mtime_ns
    except (OSError, ValueError):
        return {}, 0
