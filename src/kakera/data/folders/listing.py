"""What stands in each folder of a large tree, kept: the next command reads only the folders that changed.

A folder's times change with every file that is added, removed or renamed. So a list that was made well after
the last change is still true where these times are the same. That holds of file systems that keep these
times (POSIX.1-2017, 4.9), not of buckets that are mounted as folders: there nothing is kept. Lists of large
trees lie in `listings` of the cache; the folder may be deleted any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from kakera.data.download import cache_folder
from kakera.errors import StorageError
from kakera.storage import write_atomically

VERSION = 1
LARGE = 100_000  # files: from here on a list is kept on disk
MOST = 8  # lists on disk; those used longest ago go first
KEEP_TIMES = {  # kinds of file systems that change a folder's times with its content
    *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "jfs", "bcachefs"),
    *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph"),
}
MOUNTS = Path("/proc/self/mountinfo")
SETTLED = 2.0  # seconds after its last change from which on a folder's times tell of the next one


@dataclass
class Listed:
    """What stands in one folder: names, with / between them since no name holds one."""

    stamp: tuple[int, int, int, int]
    """Device, number, time of change of the content and of the folder itself."""
    files: str = ""
    """In natural order; links are not among them."""
    folders: str = ""
    links: str = ""
    hidden: str = ""
    odd: str = ""

    def settled(self, began: float) -> bool:
        """Whether a later change would show in the times, of a list that was begun at this time."""
        return max(self.stamp[2:]) / 1e9 < began - SETTLED


class Listings:
    """The lists of all folders below one, by their names relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100  # resolving would follow links
        self.began = time.time()
        self._before = _recalled(self.root)
        self._now: dict[str, Listed] = {}
        self._fresh = False
        self._device = kept_device(self.root)

    def known(self, name: str, stat: os.stat_result) -> Listed | None:
        """Return the list of a folder, where it is as it was when it was listed."""
        found = self._before.get(name)
        if found is None or found.stamp != stamp(stat):
            self._fresh = True
            return None
        self._now[name] = found
        return found

    def add(self, name: str, listed: Listed) -> None:
        """Keep a new list."""
        if listed.stamp[0] == self._device and listed.settled(self.began):
            self._now[name] = listed

    def mark(self, entered: int) -> str:
        """Return a hash that names this state of the tree, of so many folders entered.

        "" where another state could have it: a folder has just changed, or there are links, whose targets
        change without it.
        """
        if len(self._now) != entered or any(listed.links for listed in self._now.values()):
            return ""
        found = hashlib.blake2b(os.fsencode(self.root), digest_size=16)
        for name in sorted(self._now):
            found.update(f"\0{name}\0{self._now[name].stamp}".encode(errors="surrogateescape"))
        return found.hexdigest()

    def keep(self, count: int) -> None:
        """Keep the lists for this process; those of a large tree, of so many files, on disk too."""
        _held.clear()
        _held[self.root] = self._now
        if count >= LARGE and (self._fresh or len(self._now) != len(self._before)):
            _store(self.root, self._now)


_held: dict[Path, dict[str, Listed]] = {}  # of the tree that was listed last


def kept_device(root: Path, mounts: Path = MOUNTS) -> int | None:
    """Return the device that a folder lies on, where its file system keeps the times of folders; else None.

    Where the system does not say (another than Linux) it is None too.
    """
    try:
        device = root.stat().st_dev
        rows = [line.split() for line in mounts.read_text(errors="replace").splitlines()]
    except OSError:
        return None
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = {row[row.index("-") + 1] for row in rows if len(row) > 2 and row[2] == number and "-" in row[:-1]}
    return device if kinds and kinds <= KEEP_TIMES else None


def stamp(stat: os.stat_result) -> tuple[int, int, int, int]:
    """Return what changes with a folder's content."""
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def _recalled(root: Path) -> dict[str, Listed]:
    if root in _held:
        return _held[root]
    path = _path(root)
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION or content["root"] != str(root):
            return {}
        found = {name: Listed(tuple(row[0]), *row[1:]) for name, row in content["folders"].items()}
        with suppress(OSError):
            os.utime(path)  # used now
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # none, or not as we write it: everything is listed anew


def _store(root: Path, lists: dict[str, Listed]) -> None:
    content = {
        "version": VERSION,
        "root": str(root),
        "folders": {n: astuple(row) for n, row in lists.items()},
    }
    path = _path(root)
    with suppress(StorageError, OSError):  # it only saves time
        write_atomically(path, json.dumps(content).encode())
        others = sorted(path.parent.glob("*.json"), key=lambda other: other.stat().st_mtime_ns)
        for old in others[:-MOST]:
            old.unlink()


def recalled_digest(key: str) -> str:
    """Return what `keep_digest` kept under this key; "" where there is nothing."""
    try:
        return (cache_folder() / "listings" / f"{key}.digest").read_text()
    except (OSError, ValueError):
        return ""


def keep_digest(key: str, digest: str) -> None:
    """Keep a digest that takes long to make."""
    with suppress(StorageError):  # it only saves time
        write_atomically(cache_folder() / "listings" / f"{key}.digest", digest.encode())


def _path(root: Path) -> Path:
    name = hashlib.blake2b(os.fsencode(root), digest_size=16).hexdigest()
    return cache_folder() / "listings" / f"{name}.json"
