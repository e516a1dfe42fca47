"""Many names in little memory, the paths of files that have them, and their natural order.

All names stand one after another in one buffer of bytes: a part of them costs 16 bytes a name.
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
WIDTH = 8  # bytes from the end of a name in which a suffix is looked for

_DIGITS = re.compile(r"[0-9]+")
_MOST = 0x10FFFE
_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)


class Names(Sequence[str]):
    """Texts, each made when it is asked for; what is not UTF-8 in a file's name comes back as it was.

    `starts` and `ends` (n,) are places in `buffer`; at least 8 other bytes come before each start.
    """

    def __init__(self, buffer: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self.buffer, self.starts, self.ends = buffer, starts, ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> Names:
        """Return these texts."""
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
        """Return the names at `rows`, without a copy of their letters."""
        return Names(self.buffer, self.starts[rows], self.ends[rows])

    def replaced(self, others: Mapping[int, str]) -> Names:
        """Return the same names but for those of some rows."""
        if not others:
            return self
        more, rows, shift = Names.of([*others.values()]), [*others], len(self.buffer)
        starts, ends = self.starts.copy(), self.ends.copy()
        starts[rows], ends[rows] = more.starts + shift, more.ends + shift
        return Names(self.buffer + more.buffer, starts, ends)

    def with_suffix(self, suffixes: Collection[str]) -> NDArray[np.bool_]:
        """Return (n,) whether each has one of the suffixes, in any case, as `tree.suffix_of` tells it.

        Suffixes are ASCII, in lower case, with their dot, and of up to 7 letters.
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
            # What begins with a dot, such as .png, has no suffix: what may do so is looked at one by one.
            for row in np.flatnonzero(odd).tolist():
                found[first + row] = os.path.splitext(self[first + row])[1].lower() in suffixes  # noqa: PTH122
        return found


class NamesBuilder:
    """Names that come block by block."""

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
        """Return all of them; the builder is empty then."""
        lengths = np.frombuffer(self._lengths, np.int32) if self._lengths else np.zeros(0, np.int32)
        ends = np.cumsum(lengths, dtype=np.int64) + WIDTH
        found = Names(bytes(self._buffer), ends - lengths, ends)
        self._buffer, self._lengths = bytearray(WIDTH), array("i")
        return found


class Paths(Sequence[Path]):
    """The paths of files below a folder, each made when it is asked for.

    `mark` names the state of the folder where these are all its files of a kind; else it is "".
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
        """Return all of them as text, in a fraction of the time that so many Paths take."""
        names, folder = [*self.names], str(self.folder)
        rooted = any(name.startswith("/") for name in names)
        if os.sep != "/" or folder == "." or rooted or are_odd(names):
            return [str(self.folder / name) for name in names]
        before = folder if folder.endswith("/") else f"{folder}/"
        return [before + name for name in names]


def are_odd(names: Sequence[str]) -> bool:
    """Return whether one of these may be a path that can be written shorter: a//b, ./a, a/../b, a/."""
    joined = "\0" + "\0".join(names) + "\0"
    return any(odd in joined for odd in ("//", "/.", "\0.", "/\0", "\0\0"))


def taken(things: Sequence[T], rows: NDArray[np.int64]) -> Sequence[T]:
    """Return the things at `rows`: of names and paths without a copy, of others as a list."""
    take = getattr(things, "take", None)
    return take(rows) if take is not None else [things[row] for row in rows.tolist()]


def natural(text: str) -> tuple[str, str]:
    """Sort picture2 before picture10; no two texts are equal, so the order depends on nothing else.

    Each run of digits becomes a sign below all others, then how many digits there are without zeros in
    front, then these: texts with such numbers inside compare as one text, letter by letter.
    """
    return _DIGITS.sub(_number, text), text


def _number(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0")
    return f"\0{chr(min(len(digits), _MOST) + 1)}{digits}"


def relative(blocks: Callable[[], Iterator[list[str]]]) -> Iterator[list[str]]:
    """Yield paths, block by block, without the folder that all of them share; / is between the rest."""
    shared = ""
    for names in blocks():
        inside = os.path.join(shared, "")  # noqa: PTH118  # a Path costs ten times the call
        others = [path for path in _absolute(names) if not shared or not path.startswith(inside)]
        folders = {path[: path.rfind(os.sep)] or os.sep for path in others} | ({shared} - {""})
        shared = os.path.commonpath(folders)
    for names in blocks():
        yield [path[len(shared) :].lstrip(os.sep).replace(os.sep, "/") for path in _absolute(names)]


def _absolute(names: Sequence[str]) -> list[str]:
    """Paths from the root, without . and .. in them."""
    rooted = sum(name.startswith("/") for name in names)
    if os.sep != "/" or 0 < rooted < len(names) or are_odd(names):
        return [os.path.abspath(name) for name in names]  # noqa: PTH100  # as above
    before = "" if rooted else os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118  # as above
    return [before + name for name in names]
