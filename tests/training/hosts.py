"""Two hosts that are network namespaces of this machine, joined by a cable that can be pulled out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESSES = ("10.77.0.1", "10.77.0.2")


def ip(*words: str, inside: str = "") -> None:
    """`ip …`, in a namespace where one is named."""
    where = ["ip", "netns", "exec", inside] if inside else []
    subprocess.run([*where, "ip", *words], check=True, capture_output=True)


@contextmanager
def two_hosts() -> Iterator[tuple[str, str]]:
    """Their names. Raises OSError or CalledProcessError where this machine does not allow it."""
    names = (f"kakera-a-{os.getpid()}", f"kakera-b-{os.getpid()}")
    made: list[str] = []
    try:
        for name in names:
            ip("netns", "add", name)
            made.append(name)
        ip(
            "link",
            "add",
            "cable",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            names[1],
        )
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("address", "add", f"{address}/24", "dev", "cable", inside=name)
            for device in ("lo", "cable"):
                ip("link", "set", device, "up", inside=name)
        yield names
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def plug(host: str, *, out: bool) -> None:
    """Pull the cable out of a host, or put it back."""
    ip("link", "set", "cable", "down" if out else "up", inside=host)


def started(host: str, number: int, words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """`kakera WORDS --nodes 2 --devices 1` on a host, as each host's user types it."""
    env = {"NODE_RANK": str(number), "MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": "29555"}
    command = [
        "ip",
        "netns",
        "exec",
        host,
        sys.executable,
        "-m",
        "kakera",
        *words,
        "--nodes",
        "2",
        "--devices",
        "1",
    ]
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            env=os.environ | env | {"GLOO_SOCKET_IFNAME": "cable", "OMP_NUM_THREADS": "1"},
        )
