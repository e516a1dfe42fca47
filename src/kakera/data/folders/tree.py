"""The files below a folder: links are followed, and each folder is entered once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kakera.data.folders.listing import Listed, Listings, stamp
from kakera.data.names import natural
from kakera.progress import Counting

EXAMPLES = 3  # skipped files shown in a line


@dataclass
class Tree:
    """Names of files relative to a root folder, with "/" between folders.

    Example:

        >>> _ = Path("a.png").touch(), Path(".hidden").touch()
        >>> below = tree(Path("."))
        >>> [*below.names], below.left()
        (['a.png'], [('./.hidden', 'a hidden file or folder')])
    """

    root: Path
    folders: dict[str, str] = field(default_factory=dict)
    """The file names in each folder, in natural order and joined by "/"; the folders are in no order."""
    hidden: list[str] = field(default_factory=list)
    """Files and folders whose name starts with a dot; hidden folders are not entered."""
    again: list[str] = field(default_factory=list)
    """Links to folders that are already read, or that contain the link."""
    closed: list[str] = field(default_factory=list)
    """Folders that cannot be opened."""
    odd: list[str] = field(default_factory=list)
    """Names that are not files: pipes, sockets, devices."""
    mark: str = ""
    """A hash that identifies the names in the tree; "" if another state could have the same hash."""

    @property
    def names(self) -> Iterator[str]:
        """The name of each file relative to the root, in no order."""
        for folder, files in self.folders.items():
            before = f"{folder}/" if folder else ""
            yield from (before + name for name in split(files))

    def left(self) -> list[tuple[str, str]]:
        """Return (path, reason) of everything below the root that is not in `names`."""
        whys = {
            "a hidden file or folder": self.hidden,
            "a link to a folder that is already read": self.again,
            "a folder that cannot be opened": self.closed,
            "a pipe or a device, not a file": self.odd,
        }
        return [(f"{self.root}/{name}", why) for why, names in whys.items() for name in sorted(names)]


def split(names: str) -> list[str]:
    """Return the names that a text joins by "/".

    Example:

        >>> split("a.png/b.png"), split("")
        (['a.png', 'b.png'], [])
    """
    return names.split("/") if names else []


def tree(root: Path) -> Tree:
    """List everything below `root`; show the progress if it takes long.

    Folders are read before links to folders, so that real files have their own names. Dangling links are in
    the names, and are reported as unreadable later. A folder that did not change is not read again. See
    `Tree`.

    Example:

        >>> Path("data/owls").mkdir(parents=True)
        >>> _ = Path("data/owls/10.wav").touch(), Path("data/owls/2.wav").touch()
        >>> tree(Path("data")).folders
        {'owls': '2.wav/10.wav'}
    """
    walk = _Walk(root)
    walk.enter("")
    while walk.links:
        walk.links.sort(reverse=True)
        link = walk.links.pop()
        if not walk.enter(link):
            walk.found.again.append(link)
    walk.listings.keep(walk.count.done)
    walk.found.mark = walk.listings.mark(len(walk.entered))
    return walk.found


class _Walk:
    """The folders and links that are still to be entered, and those that were entered."""

    def __init__(self, root: Path) -> None:
        self.found, self.listings = Tree(root), Listings(root)
        self.links, self.entered = list[str](), set[tuple[int, int]]()
        self.count = Counting(f"listing {root}", "files")

    def enter(self, start: str) -> bool:
        """List a folder and everything below it; return False if it is already listed."""
        folders, entered = [start], False
        while folders:
            name = folders.pop()
            path = os.path.join(self.found.root, name)  # noqa: PTH118  # a Path costs several times the call
            try:
                stat = os.stat(path)  # noqa: PTH116  # a Path costs several times the call
                if stat.st_ino and (stat.st_dev, stat.st_ino) in self.entered:
                    if name != start:
                        self.found.again.append(name)
                    continue
                self.entered.add((stat.st_dev, stat.st_ino))
                entered = True
                listed = self.listings.known(name, stat)
                if listed is None:
                    listed = self._listed(path, stat)
                    self.listings.add(name, listed)
                else:
                    self.count.advance(listed.files.count("/") + 1)
                folders += self._take(name, listed)
            except OSError:
                entered = True
                self.found.closed.append(name)
        return entered

    def _listed(self, path: str, stat: os.stat_result) -> Listed:
        files, folders, links, hidden, odd = (list[str]() for _ in range(5))
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    hidden.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files.append(entry.name)
                    self.count.advance()
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    (links if entry.is_symlink() else odd).append(entry.name)
        files.sort(key=natural)
        return Listed(stamp(stat), *map("/".join, (files, folders, links, hidden, odd)))

    def _take(self, name: str, listed: Listed) -> list[str]:
        """Add the content of a folder, and return its subfolders."""
        before = f"{name}/" if name else ""
        self.found.hidden += [before + one for one in split(listed.hidden)]
        self.found.odd += [before + one for one in split(listed.odd)]
        more = [one for one in split(listed.links) if self._is_file(before + one)]
        if more:
            self.found.folders[name] = "/".join(sorted([*split(listed.files), *more], key=natural))
        elif listed.files:
            self.found.folders[name] = listed.files
        return [before + one for one in split(listed.folders)]

    def _is_file(self, name: str) -> bool:
        """Return True if a link counts as a file; a link to a folder waits, a link to a pipe is odd."""
        path = os.path.join(self.found.root, name)  # noqa: PTH118  # a Path costs several times the call
        if os.path.isdir(path):  # noqa: PTH112  # a Path costs several times the call
            self.links.append(name)
            return False
        # A link to itself, or to nothing, is reported as unreadable later.
        if os.path.isfile(path) or not os.path.exists(path):  # noqa: PTH110, PTH113  # a Path costs several times the call
            return True
        self.found.odd.append(name)
        return False


def suffix_of(name: str) -> str:
    """Return the suffix of a file name, from its last dot, in lower case; "" if there is none.

    Example:

        >>> suffix_of("birds/Owl.WAV"), suffix_of("README")
        ('.wav', '')
    """
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  # a Path costs several times the call


def left_lines(left: Sequence[tuple[str, str]], emptied: Sequence[str]) -> list[str]:
    """Return lines about the skipped files, by suffix and reason, and about folders without files.

    `left` are (path, reason), `emptied` the folders and classes without files.

    Example:

        >>> left_lines([("a.txt", ""), ("b.txt", "")], ["cat"])
        ['not read: 2 .txt: a.txt, b.txt', 'class without readable files: cat']
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for path, reason in left:
        groups.setdefault((suffix_word(path), reason), []).append(path)
    found: list[str] = []
    for (suffix, reason), paths in sorted(groups.items(), key=lambda one: (not one[0][1], -len(one[1]))):
        more = ", …" if len(paths) > EXAMPLES else ""
        shown = ", ".join(paths[:EXAMPLES]) + more
        found.append(f"not read: {len(paths)} {suffix}" + (f" ({reason})" if reason else "") + f": {shown}")
    return found + [f"class without readable files: {name}" for name in emptied]


def suffix_word(path: str) -> str:
    """Return the suffix of a file name, or "without a suffix".

    Example:

        >>> suffix_word("README")
        'without a suffix'
    """
    return suffix_of(path) or "without a suffix"
