"""File names and paths in little memory, and their natural order.

All names are in one buffer of bytes, one after another. A selection of names needs 16 bytes per name.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
BLOCK = 8192  # names at a time
WIDTH = 8  # bytes at the end of a name that are searched for a suffix

_DIGITS = re.compile(r"[0-9]+")
_MOST = 0x10FFFE
_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)


class Names(Sequence[str]):
    """A sequence of texts; each text is made when it is accessed.

    `starts` and `ends` (n,) are byte positions in `buffer`; at least 8 other bytes must be before each start.
    Bytes of a file name that are not UTF-8 are preserved.

    Example:

        >>> names = Names.of(["a.png", "b.txt", "c.PNG"])
        >>> names[1], names.with_suffix([".png"]).tolist()
        ('b.txt', [True, False, True])
    """

    def __init__(self, buffer: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self.buffer, self.starts, self.ends = buffer, starts, ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> Names:
        """Return a `Names` of these texts."""
        found = NamesBuilder()
        found.extend(texts)
        return found.names()

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Names: ...
    def __getitem__(self, index: int | slice) -> str | Names:
        if isinstance(index, slice):
            return Names(self.buffer, self.starts[index], self.ends[index])
        return self.buffer[self.starts[index] : self.ends[index]].decode(errors="surrogateescape")

    def __iter__(self) -> Iterator[str]:
        buffer = self.buffer
        for first in range(0, len(self), BLOCK):
            here = slice(first, first + BLOCK)
            for start, end in zip(self.starts[here].tolist(), self.ends[here].tolist(), strict=True):
                yield buffer[start:end].decode(errors="surrogateescape")

    def take(self, rows: NDArray[np.int64]) -> Names:
        """Return the names at `rows`, without copying the buffer."""
        return Names(self.buffer, self.starts[rows], self.ends[rows])

    def replaced(self, others: Mapping[int, str]) -> Names:
        """Return the names with new texts for some rows; `others` maps rows to texts."""
        if not others:
            return self
        more, rows, shift = Names.of([*others.values()]), [*others], len(self.buffer)
        starts, ends = self.starts.copy(), self.ends.copy()
        starts[rows], ends[rows] = more.starts + shift, more.ends + shift
        return Names(self.buffer + more.buffer, starts, ends)

    def with_suffix(self, suffixes: Collection[str]) -> NDArray[np.bool_]:
        """Return bool (n,): True for names with one of the suffixes, in upper or lower case.

        The suffix of a name is that of `tree.suffix_of`. `suffixes` must be ASCII, in lower case, start with
        a dot, and have at most 7 letters.
        """
        found = np.zeros(len(self), np.bool_)
        words: dict[int, list[int]] = {}
        for suffix in suffixes:
            words.setdefault(len(suffix), []).append(int.from_bytes(suffix.encode(), "little"))
        last = np.ndarray(len(self.buffer) - WIDTH + 1, "<u8", self.buffer, strides=(1,))
        for first in range(0, len(self), 1 << 16):
            here = slice(first, first + (1 << 16))
            lengths = self.ends[here] - self.starts[here]
            letters = _LOWER[last[self.ends[here] - WIDTH].view(np.uint8)].reshape(-1, WIDTH)
            keys = letters.view("<u8")[:, 0]
            odd = np.zeros(len(keys), np.bool_)
            for size, same in words.items():
                ends = keys >> np.uint64(8 * (WIDTH - size))
                one = np.isin(ends, np.array(same, np.uint64)) & (lengths > size)
                before = letters[:, WIDTH - size - 1]
                odd |= one & ((before == ord("/")) | (before == ord(".")))
                found[here] |= one
            # A name that starts with a dot, such as .png, has no suffix: check possible cases one by one.
            for row in np.flatnonzero(odd).tolist():
                found[first + row] = os.path.splitext(self[first + row])[1].lower() in suffixes  # noqa: PTH122
        return found


class NamesBuilder:
    """A builder of `Names` from blocks of texts.

    Example:

        >>> builder = NamesBuilder()
        >>> builder.extend(["a.png", "b.png"])
        >>> builder.extend(["c.png"])
        >>> list(builder.names())
        ['a.png', 'b.png', 'c.png']
    """

    def __init__(self) -> None:
        self._buffer, self._lengths = bytearray(WIDTH), array("i")

    def extend(self, texts: Sequence[str]) -> None:
        """Add names."""
        joined = "".join(texts)
        self._buffer += joined.encode(errors="surrogateescape")
        self._lengths.extend(
            map(len, texts)
            if joined.isascii()
            else [len(text.encode(errors="surrogateescape")) for text in texts]
        )

    def names(self) -> Names:
        """Return all added names, and empty the builder."""
        lengths = np.frombuffer(self._lengths, np.int32) if self._lengths else np.zeros(0, np.int32)
        ends = np.cumsum(lengths, dtype=np.int64) + WIDTH
        found = Names(bytes(self._buffer), ends - lengths, ends)
        self._buffer, self._lengths = bytearray(WIDTH), array("i")
        return found


class Paths(Sequence[Path]):
    """A sequence of paths below a folder; each path is made when it is accessed.

    `mark` identifies the state of the folder if the sequence contains all its files of a kind; otherwise it
    is "".

    Example:

        >>> paths = Paths(Path("birds"), Names.of(["a.png", "b.png"]))
        >>> paths[1].name, paths.texts()
        ('b.png', ['birds/a.png', 'birds/b.png'])
    """

    def __init__(self, folder: Path, names: Names, mark: str = "") -> None:
        self.folder, self.names, self.mark = folder, names, mark

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Paths: ...
    def __getitem__(self, index: int | slice) -> Path | Paths:
        if isinstance(index, slice):
            return Paths(self.folder, self.names[index])
        return self.folder / self.names[index]

    def __iter__(self) -> Iterator[Path]:
        return (self.folder / name for name in self.names)

    def take(self, rows: NDArray[np.int64]) -> Paths:
        """Return the paths at `rows`."""
        return Paths(self.folder, self.names.take(rows))

    def texts(self) -> list[str]:
        """Return all paths as texts, much faster than through `Path` objects."""
        names, folder = [*self.names], str(self.folder)
        rooted = any(name.startswith("/") for name in names)
        if os.sep != "/" or folder == "." or rooted or are_odd(names):
            return [str(self.folder / name) for name in names]
        before = folder if folder.endswith("/") else f"{folder}/"
        return [before + name for name in names]


def are_odd(names: Sequence[str]) -> bool:
    """Return True if one of the paths may have a shorter form, as a//b, ./a, a/../b and a/ have.

    Example:

        >>> are_odd(["a/b.png"]), are_odd(["a//b.png"])
        (False, True)
    """
    joined = "\0" + "\0".join(names) + "\0"
    return any(odd in joined for odd in ("//", "/.", "\0.", "/\0", "\0\0"))


def take_rows(things: Sequence[T], rows: NDArray[np.int64]) -> Sequence[T]:
    """Return the items at `rows`: for names and paths without a copy, for others as a list.

    Example:

        >>> take_rows(["a", "b", "c"], np.array([2, 0]))
        ['c', 'a']
    """
    take = getattr(things, "take", None)
    return take(rows) if take is not None else [things[row] for row in rows.tolist()]


def natural(text: str) -> tuple[str, str]:
    """Return a sort key for the natural order, in which picture2 is before picture10.

    The keys of different texts always differ, so the order is unique. In the key, each run of digits becomes
    a character below all others, then the number of digits without leading zeros, then these digits. So keys
    compare letter by letter.

    Example:

        >>> sorted(["picture10", "picture2"], key=natural)
        ['picture2', 'picture10']
    """
    return _DIGITS.sub(_number, text), text


def _number(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0")
    return f"\0{chr(min(len(digits), _MOST) + 1)}{digits}"


def relative(blocks: Callable[[], Iterator[list[str]]]) -> Iterator[list[str]]:
    """Yield blocks of paths relative to the folder that contains all of them, with / as separator.

    Example:

        >>> list(relative(lambda: iter([["birds/a.png"], ["birds/owls/b.png"]])))
        [['a.png'], ['owls/b.png']]
    """
    shared = ""
    for names in blocks():
        inside = os.path.join(shared, "")  # noqa: PTH118  # a Path is ten times as slow
        others = [path for path in _absolute(names) if not shared or not path.startswith(inside)]
        folders = {path[: path.rfind(os.sep)] or os.sep for path in others} | ({shared} - {""})
        shared = os.path.commonpath(folders)
    for names in blocks():
        yield [path[len(shared) :].lstrip(os.sep).replace(os.sep, "/") for path in _absolute(names)]


def _absolute(names: Sequence[str]) -> list[str]:
    """Return absolute paths, without . and .. in them."""
    rooted = sum(name.startswith("/") for name in names)
    if os.sep != "/" or 0 < rooted < len(names) or are_odd(names):
        return [os.path.abspath(name) for name in names]  # noqa: PTH100  # a Path costs several times the call
    before = "" if rooted else os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118  # a Path costs several times the call
    return [before + name for name in names]
