"""The cache of frozen tokens on disk. Does not import torch.

The folder `tokens` has a folder for each encoder, with files of up to some thousand rows. A file is written
at once and never changed: a header (version, encoder, sizes, checksums), the keys of its rows, and the tokens
of each layer and pooling. All of it can be deleted at any time.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from kakera.data.download import cache_folder
from kakera.data.preload.cache import ABANDONED, FREE, print_line
from kakera.errors import StorageError
from kakera.formats.tokens.keys import BYTES, Key
from kakera.storage import whole_file

VERSION = 1  # of the file format and of the computation of tokens; raise it when either changes
MAGIC, SUFFIX = b"kakera-tokens\n\0\0", ".tokens"
MOST = 16 << 30  # bytes of all files; those that were unused for longest are deleted first
PoolName: TypeAlias = Literal[
    "class",
    "mean",
    "distilled",
    "class and mean",
    "halves",
    "normed mean",
    "attention",
    "class and attention",
    "patches",
]
Kind: TypeAlias = tuple[int, PoolName]
"""A layer and a pooling; the last layer is −1. "patches" are all patch tokens, one after another."""
_said = set[Path]()  # folders that could not be written, each named once
Tokens: TypeAlias = Mapping[Kind, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Block:
    """One file of the cache: the keys of its rows, and where each kind of tokens is in the file.

    See `TokenStore`.
    """

    path: Path
    keys: Sequence[Key]
    places: Mapping[Kind, tuple[int, int, int]]
    """Start in bytes, width, and CRC-32 of the tokens of each kind."""

    def read(self, kind: Kind) -> NDArray[np.float32]:
        """Return the tokens of a kind (rows, d). Raises ValueError if they are damaged, and OSError."""
        start, width, crc = self.places[kind]
        found = np.fromfile(self.path, "<f4", count=len(self.keys) * width, offset=start)
        if len(found) != len(self.keys) * width or zlib.crc32(found.data) != crc:
            raise ValueError("its tokens do not match their checksum")
        return found.reshape(len(self.keys), width)


class TokenStore:
    """The stored tokens of one encoder, whose key is `encoder`; see `FrozenEncoder`.

    Damaged files, and files of another version or encoder, are named on stderr, deleted, and not used.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     store = TokenStore("0123")
        ...     store.add([bytes(16)], {(-1, "mean"): np.ones((1, 4), np.float32)})
        ...     found, known = store.find([bytes(16), bytes(range(16))], [(-1, "mean")])
        >>> found[-1, "mean"][0], known
        (array([1., 1., 1., 1.], dtype=float32), array([ True, False]))
    """

    def __init__(self, encoder: str) -> None:
        self.encoder, self.folder = encoder, cache_folder() / "tokens" / encoder

    def find(
        self, keys: Sequence[Key], kinds: Sequence[Kind]
    ) -> tuple[dict[Kind, NDArray[np.float32]], NDArray[np.bool_]]:
        """Return the stored tokens (n, d) of each kind, and which rows (n,) have all kinds; others are 0."""
        rows: dict[Key, list[int]] = {}
        for row, key in enumerate(keys):
            rows.setdefault(key, []).append(row)
        rows.pop(b"", None)
        found, known = dict[Kind, NDArray[np.float32]](), {kind: np.zeros(len(keys), bool) for kind in kinds}
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                block = self._opened(path)
                places = [(here, row) for here, key in enumerate(block.keys) for row in rows.get(key, ())]
                if not places:
                    continue
                here, there = np.array(places).T
                for kind in set(kinds) & set(block.places):
                    tokens = block.read(kind)
                    if kind not in found:
                        found[kind] = np.zeros((len(keys), tokens.shape[1]), np.float32)
                    found[kind][there] = tokens[here]
                    known[kind][there] = True
                os.utime(path)  # mark as used now
            except FileNotFoundError:  # another process has just deleted it
                continue
            except (OSError, ValueError, KeyError, TypeError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                print_line(f"cache: {path} is damaged ({reason}); its tokens are computed again")
                with suppress(OSError):
                    path.unlink()
        return found, np.logical_and.reduce([known[kind] for kind in kinds])

    def add(self, keys: Sequence[Key], tokens: Tokens) -> None:
        """Store tokens (n, d) of each kind for the files with these keys; rows with the key b"" are left out.

        If the system cannot write, one line on stderr says so, and the tokens are only in memory.
        """
        kept = [row for row, key in enumerate(keys) if key]
        if not kept:
            return
        body, places, start = b"".join(keys[row] for row in kept), list[Any](), 0
        arrays = {kind: np.ascontiguousarray(values[kept], "<f4") for kind, values in tokens.items()}
        for (layer, pool), values in arrays.items():
            places.append([layer, pool, start, values.shape[1], zlib.crc32(values.data)])
            start += values.nbytes
        header = {"version": VERSION, "encoder": self.encoder, "rows": len(kept), "arrays": places}
        head = json.dumps({**header, "keys": zlib.crc32(body), "bytes": start}).encode()
        try:
            if not make_room(start):
                raise StorageError(str(self.folder), got="too little space", expected="more", do="free some")
            with whole_file(self.folder / f"{secrets.token_hex(8)}{SUFFIX}") as file:
                file.write(MAGIC + len(head).to_bytes(8, "little") + head + body)
                for values in arrays.values():
                    file.write(values.data)
        except StorageError as error:
            if self.folder not in _said:
                reason = str(error).partition(", expected")[0]
                print_line(f"cache: tokens are not stored ({reason}); they will be computed again next time")
            _said.add(self.folder)

    def _opened(self, path: Path) -> Block:
        """Return a file of the cache. Raises ValueError, KeyError or TypeError for one that is damaged."""
        size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ValueError("it does not begin as a file of this cache")
            head = _header(file.read(min(int.from_bytes(file.read(8), "little"), size)))
            if (head["version"], head["encoder"]) != (VERSION, self.encoder):
                raise ValueError("it is of another version or encoder")
            body = file.read(min(head["rows"] * BYTES, size))
            if zlib.crc32(body) != head["keys"]:
                raise ValueError("its keys do not match their checksum")
            base = file.tell()
        if size != base + head["bytes"]:
            raise ValueError("it has another size than it should")
        keys = [body[first : first + BYTES] for first in range(0, len(body), BYTES)]
        places: dict[Kind, tuple[int, int, int]] = {
            (int(at[0]), cast("PoolName", at[1])): (base + int(at[2]), int(at[3]), int(at[4]))
            for at in head["arrays"]
        }
        for start, width, _ in places.values():
            if start < base or width < 0 or start + 4 * width * len(keys) > size:
                raise ValueError("its tokens are not where they should be")
        return Block(path, keys, places)


def _header(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ValueError("its header cannot be read") from error
    if not isinstance(found, dict):
        raise ValueError("its header cannot be read")
    return cast("dict[str, Any]", found)


def make_room(needed: int) -> bool:
    """Return True if `needed` bytes may be added to the cache; delete the oldest files if necessary.

    Raises StorageError if the cache folder cannot be used.

    Example:

        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     make_room(1000), make_room(MOST + 1)
        (True, False)
    """
    root = cache_folder() / "tokens"
    try:
        root.mkdir(parents=True, exist_ok=True)
        for path in root.glob("*/.*"):  # temporary files of processes that were killed while writing
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink(missing_ok=True)
        files = [(state.st_mtime, state.st_size, path) for path, state in _states(root)]
        taken = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if taken + needed <= MOST:
                break
            path.unlink(missing_ok=True)
            taken -= size
        return needed <= min(MOST, FREE * shutil.disk_usage(root).free)
    except OSError as error:
        raise StorageError(
            str(root), got=error.strerror, expected="room to write", do="set KAKERA_CACHE"
        ) from error


def _states(root: Path) -> list[tuple[Path, os.stat_result]]:
    found = list[tuple[Path, os.stat_result]]()
    for path in root.glob(f"*/*{SUFFIX}"):
        with suppress(FileNotFoundError):
            found.append((path, path.stat()))
    return found
