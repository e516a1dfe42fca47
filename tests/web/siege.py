"""A server under siege: does it still answer those who mean well, and give back what it took?

`python -m tests.web.siege` does it in full and prints what happened; `make siege` does that. Each attack goes
on while a well-meaning client asks, every 50 ms, what there is.
"""

import argparse
import io
import json
import os
import random
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.web.malformed import one, status

FILES = 64  # that the process may have open
HEAD = "Host: 127.0.0.1\r\n"


@contextmanager
def served(models: list[Path], files: int = FILES) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The explorer of some runs in a process of its own, and its port."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    words = [sys.executable, "-m", "kakera", "serve", *map(str, models), "--port", "0"]
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=limit, env=env)
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)/", process.stdout.readline())
        assert found is not None
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()  # closes what it was read through


def memory(process: subprocess.Popen[str]) -> float:
    """Resident megabytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def connection(port: int, text: str = "") -> socket.socket | None:
    """One that sends this and waits; None where none is to be had."""
    try:
        place = socket.create_connection(("127.0.0.1", port), timeout=30)
    except OSError:
        return None
    with suppress(OSError):  # closed already
        place.sendall(text.encode())
    return place


def asked(port: int, method: str, path: str, body: bytes = b"", seconds: float = 60.0) -> int:
    """The status of the answer; 0 for none."""
    client = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        client.request(method, path, body or None)
        return client.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        client.close()


@contextmanager
def held(port: int, count: int, text: str = "") -> Iterator[list[socket.socket]]:
    """So many connections at once, as far as they are to be had."""
    with ExitStack() as stack:
        found = [connection(port, text) for _ in range(count)]
        yield [stack.enter_context(place) for place in found if place is not None]


def idle(port: int, count: int) -> None:
    """Connections that say nothing."""
    with held(port, count):
        time.sleep(3)


def slow_headers(port: int, count: int) -> None:
    """A letter of a header now and then."""
    with held(port, count, f"GET / HTTP/1.1\r\n{HEAD}X-Slow: ") as places:
        for _ in range(6):
            time.sleep(0.5)
            for place in places:
                with suppress(OSError):
                    place.sendall(b"a")


def half_bodies(port: int, count: int) -> None:
    """Uploads that stop in the middle."""
    text = f"POST /api/pictures HTTP/1.1\r\n{HEAD}Content-Length: 1000000\r\n\r\n{'x' * 1000}"
    with held(port, count, text):
        time.sleep(3)


def large_pictures(port: int, count: int) -> list[int]:
    """Uploads of 36 megapixels, all at once; the status of each answer."""
    draw = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(np.tile(draw, (10, 10, 1))).save(content, "PNG", compress_level=1)
    found: list[int] = []

    def send(number: int) -> None:
        found.append(asked(port, "POST", "/api/pictures", content.getvalue() + bytes([number]), 300.0))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def many_keys(port: int, count: int) -> list[int]:
    """JSON with a million keys, and as much as is taken."""
    large = b"{" + b",".join(b'"%d":0' % number for number in range(1_000_000)) + b"}"
    most = b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}"
    return [asked(port, "POST", "/api/reconstruct", body) for body in (large, most) for _ in range(count)]


def malformed_requests(port: int, count: int) -> list[int]:
    """The status of each."""
    draw = random.Random(0)
    return [status(port, one(draw)) for _ in range(count)]


def beside(port: int, attack: Callable[[], Any]) -> tuple[Any, list[float]]:
    """What an attack gives, and the seconds that each question of a well-meaning client took meanwhile."""
    seconds: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            began = time.perf_counter()
            status = asked(port, "GET", "/api/models", seconds=20.0)
            seconds.append(time.perf_counter() - began if status == 200 else 20.0)
            time.sleep(0.05)

    client = threading.Thread(target=ask)
    client.start()
    try:
        return attack(), seconds
    finally:
        over.set()
        client.join()


def besieged(models: list[Path], scale: float = 1.0, files: int = FILES) -> dict[str, Any]:
    """For each attack the 95th percentile in milliseconds, its statuses, and megabytes before and after."""
    found: dict[str, Any] = {}
    with served(models, files) as (process, port):
        for _ in range(20):
            assert asked(port, "GET", "/api/models") == 200
        many, pictures = max(8, round(100 * scale)), max(4, round(64 * scale))
        attacks: dict[str, Callable[[], Any]] = {
            "idle": lambda: idle(port, many),
            "slow headers": lambda: slow_headers(port, many),
            "half bodies": lambda: half_bodies(port, many),
            "many keys": lambda: many_keys(port, max(2, round(10 * scale))),
            "malformed": lambda: malformed_requests(port, round(20_000 * scale)),
            "36 megapixels": lambda: large_pictures(port, pictures),
        }
        before = memory(process)
        for name, attack in attacks.items():
            statuses, seconds = beside(port, attack)
            found[name] = {
                "95 %, ms": round(1000 * statistics.quantiles(seconds, n=20)[-1]),
                "questions": len(seconds),
                "statuses": {str(s): statuses.count(s) for s in sorted(set(statuses or []))},
            }
        time.sleep(1)
        found["MB before, after"] = round(before), round(memory(process))
        with held(port, 10):
            began = time.perf_counter()
            process.send_signal(signal.SIGINT)
            found["exit code"] = process.wait(20)
            found["seconds to end"] = round(time.perf_counter() - began, 2)
    return found


if __name__ == "__main__":
    from tests.web.runs import three_runs

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--files", type=int, default=FILES, help="that the server may have open")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        print(json.dumps(besieged(three_runs(Path(root))[:2], given.scale, given.files), indent=2))
