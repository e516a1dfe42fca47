"""Open shards as a data set: a folder, tar files, or web addresses of either."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from itertools import product
from pathlib import Path

from kakera.data.dataset import Dataset
from kakera.data.download import cache_folder, download
from kakera.data.folders.media import SUFFIXES
from kakera.data.folders.tree import suffix_of, tree
from kakera.data.names import natural
from kakera.data.shards.index import SUFFIX, VERSION, ShardIndex, read_index
from kakera.data.shards.join import Part, joined
from kakera.data.shards.reader import Shard
from kakera.data.shards.tar import RULE, index_tar
from kakera.errors import DataError, StorageError
from kakera.storage import write_atomically

CONTENTS = "shards.json"  # written last: it shows that the folder is complete
PLAN = "packing.json"  # written first
_BRACES = re.compile(r"\{([^{}]*)\}")


def is_shards(source: str | Path) -> bool:
    """Return True for a web address, a .tar file, a name with braces, or a folder of shards.

    Example:

        >>> is_shards("data/{000..002}.tar"), is_shards("data.csv")
        (True, False)
    """
    if is_address(source):
        return True
    path = Path(source)
    if path.is_dir():
        packed = any((path / name).exists() for name in (CONTENTS, PLAN))
        return packed or (bool(_tars(path)) and not _has_pictures(path))
    return path.name == CONTENTS or path.suffix.lower() == ".tar"


def is_address(source: str | Path) -> bool:
    """Return True for a web address.

    Example:

        >>> is_address("https://example.org/shards"), is_address("shards")
        (True, False)
    """
    return str(source).startswith(("http://", "https://"))


def open_shards(source: str | Path, channels: int | None) -> tuple[Dataset, bool]:
    """Open the data set in shards; also return True if it has a split. Raises DataError, StorageError.

    `source` is a folder, a tar file, a name with braces, or the web address of one of them. `channels` is 1
    or 3; None takes the number of the packed data. See `kakera.data.packing.pack.pack`.

    Example:

        >>> from kakera.data.packing.pack import pack
        >>> from kakera.data.sources.open import open_dataset
        >>> _ = pack(open_dataset("demo").take([0, 1]), "shards", workers=0)
        >>> dataset, has_split = open_shards("shards", None)
        >>> len(dataset), has_split, dataset.pictures.read(0).shape
        (2, True, (28, 28, 1))
    """
    name = str(source)
    path = Path(source)
    if not is_address(source) and path.is_dir() and not (path / CONTENTS).exists():
        if (path / PLAN).exists():
            expected = f"a finished folder with {CONTENTS}"
            raise DataError(
                name, got="unfinished shards", expected=expected, do="run the same kakera pack again"
            )
        return joined(name, [_own(tar) for tar in _tars(path)], channels)
    if is_address(source) and not name.endswith(".tar"):
        address = name if name.endswith(".json") else f"{name.rstrip('/')}/{CONTENTS}"
        home = cache_folder() / "shards" / hashlib.sha256(address.encode()).hexdigest()[:16]
        contents = _latest(address, home / CONTENTS)
        return _packed(name, contents, channels, address.rpartition("/")[0])
    if path.is_dir() or path.name == CONTENTS:
        return _packed(name, path / CONTENTS if path.is_dir() else path, channels)
    files = expanded(name)
    if is_address(source):
        home = cache_folder() / "shards" / hashlib.sha256(name.encode()).hexdigest()[:16]
        files = [str(download(file, home / file.rpartition("/")[2])) for file in files]
    return joined(name, [_own(Path(file)) for file in files], channels)


def expanded(pattern: str) -> list[str]:
    """Return the names that braces stand for. Raises DataError for a range that is not ascending.

    Example:

        >>> expanded("{000..002}.tar"), expanded("{a,b}.tar")
        (['000.tar', '001.tar', '002.tar'], ['a.tar', 'b.tar'])
    """
    choices: list[list[str]] = []
    for inner in _BRACES.findall(pattern):
        first, dots, last = inner.partition("..")
        if dots and _is_number(first) and _is_number(last) and 0 <= int(last) - int(first) < 1_000_000:
            choices.append([f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)])
        elif dots:
            raise DataError(pattern, got=inner, expected="a range such as 000..009", do="correct the range")
        else:
            choices.append(inner.split(","))
    template = _BRACES.sub("\0", pattern).split("\0")
    return ["".join(map("".join, zip(template, (*words, ""), strict=True))) for words in product(*choices)]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def _tars(folder: Path) -> list[Path]:
    found = (path for path in folder.glob("*.tar") if path.is_file() and not path.name.startswith("."))
    return sorted(found, key=lambda path: natural(path.name))


def _has_pictures(folder: Path) -> bool:
    """Return True if the folder also has pictures or recordings: then a tar file is only their archive."""
    return any(suffix_of(name) in SUFFIXES for name in tree(folder).names)


def _latest(address: str, path: Path) -> Path:
    """Return the newest table of contents; without a network, the stored one."""
    try:
        return download(address, path, again=True)
    except DataError:
        if path.exists():
            return path
        raise


def _packed(name: str, path: Path, channels: int | None, address: str = "") -> tuple[Dataset, bool]:
    try:
        facts = json.loads(path.read_bytes())
        if facts["version"] != VERSION:
            raise ValueError(f"version {facts['version']}")
        rows = [
            (str(s["file"]), int(s["bytes"]), str(s["sha256"]), str(s["index_sha256"]))
            for s in facts["shards"]
        ]
        classes, depth = tuple(map(str, facts["classes"])), int(facts["channels"])
        divided = bool(facts["divided"])
        if not rows or any(Path(file).name != file for file, *_ in rows) or depth not in (1, 3):
            raise ValueError("no shards, or shards outside the folder")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        got = f"no readable table of contents ({' '.join(str(error).split())[:80]})"
        raise DataError(
            str(path), got=got, expected="a file from kakera pack", do="pack the data again"
        ) from error
    parts: list[Part] = []
    for file, size, sha256, index_sha256 in rows:
        index = _index_of(path.parent, file, index_sha256, address)
        there = f"{Path(file).stem}-{sha256[:12]}.tar" if address else file
        if index.size != size or index.classes != classes:
            raise _broken(path.parent / (file + SUFFIX))
        if not address:
            _require_size(path.parent / file, size)
        remote = f"{address}/{file}" if address else ""
        parts.append(Part(Shard(path.parent / there, size, index.names, sha256, remote), index))
    dataset, _ = joined(name, parts, channels or depth, classes)
    return dataset, divided


def _index_of(folder: Path, file: str, sha256: str, address: str) -> ShardIndex:
    """Return the index of a shard. Raises DataError if it is not the one in the table of contents."""
    title = Path(file).stem + SUFFIX
    path = folder / (f"{Path(file).stem}-{sha256[:12]}{SUFFIX}" if address else title)
    if address:
        download(f"{address}/{title}", path, sha256=sha256)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _broken(path) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _broken(path)
    return read_index(content, path)


def _broken(path: Path) -> DataError:
    got, expected = "a missing or different index", "the index from kakera pack"
    return DataError(str(path), got=got, expected=expected, do="copy it again, or pack the data again")


def _require_size(path: Path, size: int) -> None:
    found = path.stat().st_size if path.is_file() else None
    if found != size:
        got = "no such file" if found is None else f"{found} bytes"
        expected = f"a shard of {size} bytes"
        raise DataError(str(path), got=got, expected=expected, do="copy it again, or pack the data again")


def _own(tar: Path) -> Part:
    """Return a shard from another tool, with the index that kakera makes now or made before."""
    path = tar.with_suffix(SUFFIX)
    try:
        stat = tar.stat()
    except OSError as error:
        expected = "a tar file"
        raise DataError(str(tar), got=error.strerror, expected=expected, do="check the path") from error
    index = None
    with suppress(OSError, DataError):  # a missing, damaged or outdated index is made again
        index = read_index(path.read_bytes(), path)
    known = index is not None and (
        "sha256" in index.facts
        or (index.facts.get("mtime") == stat.st_mtime_ns and index.facts.get("rule") == RULE)
    )
    if index is None or not known or index.size != stat.st_size:
        index = index_tar(tar)
        index.facts["mtime"] = stat.st_mtime_ns
        with suppress(StorageError):  # in a read-only folder the index stays in memory
            write_atomically(path, index.to_bytes())
    return Part(Shard(tar, index.size, index.names), index)
