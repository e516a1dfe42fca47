"""All files below a folder: links are followed, each folder is entered once, others counted."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Tree:
    """Names of files relative to a folder, with / between them; `names` are in no order."""

    root: Path
    names: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    """Files and folders whose name begins with a dot; no such folder is entered."""
    again: list[str] = field(default_factory=list)
    """Links to folders that are read already, or that contain the link."""
    closed: list[str] = field(default_factory=list)
    """Folders that cannot be opened."""
    odd: list[str] = field(default_factory=list)
    """What is no file: pipes, sockets, devices."""

    def left(self) -> list[tuple[str, str]]:
        """Return (path, why) of what is there and is not in `names`."""
        whys = {
            "a hidden name": self.hidden,
            "a link to a folder that is read already": self.again,
            "a folder that cannot be opened": self.closed,
            "a pipe or a device, no file": self.odd,
        }
        return [(f"{self.root}/{name}", why) for why, names in whys.items() for name in sorted(names)]


def tree(root: Path) -> Tree:
    """List everything below `root`.

    Folders come before links to folders, so that what is really there keeps its own name. Dangling links are
    among the names, to be called unreadable later.
    """
    found, links, known = Tree(root), list[str](), set[tuple[int, int]]()
    _enter(found, "", links, known)
    while links:
        links.sort(reverse=True)
        link = links.pop()
        if not _enter(found, link, links, known):
            found.again.append(link)
    return found


def _enter(found: Tree, start: str, links: list[str], known: set[tuple[int, int]]) -> bool:
    """List a folder and what is below it; False where it is known already."""
    folders, entered = [start], False
    while folders:
        name = folders.pop()
        path = os.path.join(found.root, name)  # noqa: PTH118  # a Path costs several times the call
        try:
            stat = os.stat(path)  # noqa: PTH116  # as above
            if stat.st_ino and (stat.st_dev, stat.st_ino) in known:
                if name != start:
                    found.again.append(name)
                continue
            known.add((stat.st_dev, stat.st_ino))
            entered = True
            with os.scandir(path) as entries:
                for entry in entries:
                    _sort(found, entry, f"{name}/{entry.name}" if name else entry.name, folders, links)
        except OSError:
            entered = True
            found.closed.append(name)
    return entered


def _sort(found: Tree, entry: os.DirEntry[str], name: str, folders: list[str], links: list[str]) -> None:
    if entry.name.startswith("."):
        found.hidden.append(name)
    elif entry.is_dir(follow_symlinks=False):
        folders.append(name)
    elif entry.is_file(follow_symlinks=False):
        found.names.append(name)
    elif entry.is_symlink():
        _follow(found, entry, name, links)
    else:
        found.odd.append(name)


def _follow(found: Tree, entry: os.DirEntry[str], name: str, links: list[str]) -> None:
    try:
        if entry.is_dir():
            links.append(name)
            return
        whole = entry.is_file()
    except OSError:  # links that lead to each other
        whole = True
    dangling = not os.path.exists(entry.path)  # noqa: PTH110  # a Path costs several times the call
    (found.names if whole or dangling else found.odd).append(name)


def suffix_of(name: str) -> str:
    """Return what a file's name ends with, from the last dot on, in lower case; "" without one."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  # a Path costs several times the call
