"""Stored lists of the files in a large folder tree, so that the next command reads only changed folders.

A folder's modification times change with every file that is added, removed or renamed. A list made well after
the last change is therefore still true if these times are the same. This holds for file systems that update
these times (POSIX.1-2017, 4.9), but not for buckets mounted as folders: for these nothing is stored. Lists of
large trees are in the folder `listings` of the cache, which may be deleted at any time.
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
LARGE = 100_000  # files from which on the lists are stored on disk
MOST = 8  # lists on disk; the least recently used are deleted first
KEEP_TIMES = {  # file systems that update a folder's times when its content changes
    *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "jfs", "bcachefs"),
    *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph"),
}
MOUNTS = Path("/proc/self/mountinfo")
SETTLED = 2.0  # seconds after a change until the next one surely changes the times (coarse clocks)


@dataclass
class Listed:
    """The content of one folder: lists of names joined by "/", which no name contains.

    Example:

        >>> listed = Listed((1, 2, 0, 0), files="a.png/b.png", folders="birds")
        >>> listed.settled(began=time.time())
        True
    """

    stamp: tuple[int, int, int, int]
    """Device, inode, and the times of change of the content and of the folder itself, in nanoseconds."""
    files: str = ""
    """In natural order, without links."""
    folders: str = ""
    links: str = ""
    hidden: str = ""
    odd: str = ""

    def settled(self, began: float) -> bool:
        """Return True if the times would show a later change; `began` is the list's start in Unix seconds."""
        return max(self.stamp[2:]) / 1e9 < began - SETTLED


class Listings:
    """The lists of all folders below a root, by their names relative to the root.

    Example:

        >>> lists = Listings(Path("."))
        >>> lists.known("birds", Path(".").stat()) is None
        True
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100  # resolving would follow links
        self.began = time.time()
        self._before = _recalled(self.root)
        self._now: dict[str, Listed] = {}
        self._fresh = False
        self._device = kept_device(self.root)

    def known(self, name: str, stat: os.stat_result) -> Listed | None:
        """Return the stored list of a folder, or None if the folder has changed since."""
        found = self._before.get(name)
        if found is None or found.stamp != stamp(stat):
            self._fresh = True
            return None
        self._now[name] = found
        return found

    def add(self, name: str, listed: Listed) -> None:
        """Store a new list."""
        if listed.stamp[0] == self._device and listed.settled(self.began):
            self._now[name] = listed

    def mark(self, entered: int) -> str:
        """Return a hash that identifies the state of the tree, if `entered` folders were listed.

        Return "" if another state could have the same hash: if a folder has just changed, or if there are
        links, whose targets can change without the folder.
        """
        if len(self._now) != entered or any(listed.links for listed in self._now.values()):
            return ""
        found = hashlib.blake2b(os.fsencode(self.root), digest_size=16)
        for name in sorted(self._now):
            found.update(f"\0{name}\0{self._now[name].stamp}".encode(errors="surrogateescape"))
        return found.hexdigest()

    def keep(self, count: int) -> None:
        """Store the lists for this process; for a large tree of `count` files also on disk."""
        _held.clear()
        _held[self.root] = self._now
        if count >= LARGE and (self._fresh or len(self._now) != len(self._before)):
            _store(self.root, self._now)


_held: dict[Path, dict[str, Listed]] = {}  # of the last listed tree


def kept_device(root: Path, mounts: Path = MOUNTS) -> int | None:
    """Return the device number of a folder if its file system updates the times of folders; else None.

    Also return None if the system has no list of mounts (any system but Linux).

    Example:

        >>> device = Path(".").stat().st_dev
        >>> line = f"1 0 {os.major(device)}:{os.minor(device)} / /data rw - ext4 /dev/sda rw"
        >>> _ = Path("mounts").write_text(line)
        >>> kept_device(Path("."), Path("mounts")) == device
        True
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
    """Return the values that change with a folder's content.

    Example:

        >>> _ = Path("cats").mkdir(), Path("dogs").mkdir()
        >>> cats, dogs = (stamp(Path(name).stat()) for name in ("cats", "dogs"))
        >>> cats == dogs, cats == stamp(Path("cats").stat())
        (False, True)
    """
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
        return {}  # missing or damaged: all folders are listed again


def _store(root: Path, lists: dict[str, Listed]) -> None:
    content = {
        "version": VERSION,
        "root": str(root),
        "folders": {n: astuple(row) for n, row in lists.items()},
    }
    path = _path(root)
    with suppress(StorageError, OSError):  # a failure only costs time later
        write_atomically(path, json.dumps(content).encode())
        others = sorted(path.parent.glob("*.json"), key=lambda other: other.stat().st_mtime_ns)
        for old in others[:-MOST]:
            old.unlink()


def recalled_digest(key: str) -> str:
    """Return the digest that `store_digest` stored under this key; "" if there is none.

    Example:

        >>> recalled_digest("no such key")
        ''
    """
    try:
        return (cache_folder() / "listings" / f"{key}.digest").read_text()
    except (OSError, ValueError):
        return ""


def store_digest(key: str, digest: str) -> None:
    """Store a digest that takes long to compute.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     store_digest("birds", "4f2a")
        ...     recalled_digest("birds")
        '4f2a'
    """
    with suppress(StorageError):  # a failure only costs time later
        write_atomically(cache_folder() / "listings" / f"{key}.digest", digest.encode())


def _path(root: Path) -> Path:
    name = hashlib.blake2b(os.fsencode(root), digest_size=16).hexdigest()
    return cache_folder() / "listings" / f"{name}.json"
