"""Tar files as webdataset has them: what belongs together stands together, under one name."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kakera.data import audio, images
from kakera.data.media import natural
from kakera.data.shard_index import PICTURES, RECORD, RECORDINGS, ShardIndex, kind_fact
from kakera.errors import DataError, sentence

BLOCK = 512
MOST_TEXT = 1 << 20  # bytes of a .json, .cls or .txt member
SPLITS = {"train": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}


class TarWriter:
    """Writes members one after another, the same bytes each time, and sums them up."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self._digest = file, 0, hashlib.sha256()

    def add(self, name: str, content: bytes) -> int:
        """A member; returns where in the file its content begins."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        self._write(info.tobuf(tarfile.USTAR_FORMAT))
        start = self.size
        self._write(content)
        self._write(bytes(-len(content) % BLOCK))
        return start

    def finish(self) -> str:
        """The end of the archive; returns the SHA-256 of all of it."""
        self._write(bytes(2 * BLOCK))
        return self._digest.hexdigest()

    def _write(self, content: bytes) -> None:
        self.file.write(content)
        self._digest.update(content)
        self.size += len(content)


@dataclass
class _Sample:
    key: str
    content: tuple[int, int] | None = None  # offset, length
    kinds: set[str] = field(default_factory=set)  # PICTURES, RECORDINGS, or, which cannot be used, both
    shape: tuple[int, int, int] = (0, 0, 0)
    labels: tuple[str, ...] | None = None
    text: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def index_tar(path: Path) -> ShardIndex:
    """The index of somebody's shard: pictures, uint8 .npy arrays or recordings, .cls, .json or .txt beside.

    `facts` has `divided`: whether every sample says its split. Raises DataError, also where both are there.
    """
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            samples = [sample for sample in _samples(tar) if sample.content is not None]
            if tar.offset + BLOCK > size:  # where the next header would be, or the block of zeros at the end
                raise tarfile.ReadError("its end is missing")
    except Exception as error:  # of what tarfile makes of broken bytes only some are TarErrors
        got = f"a damaged or compressed tar file ({' '.join(str(error).split())[:80]})"
        raise _error(path, got) from error
    if not samples:
        raise _error(path, "no picture and no recording in it")
    counts = Counter(kind for sample in samples for kind in sample.kinds)
    if len(counts) > 1:
        got = " and ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        raise DataError(sentence(str(path), got=got, expected="one of both", do="pack them apart"))
    records = np.zeros(len(samples), RECORD)
    for number, sample in enumerate(samples):
        assert sample.content is not None
        split = SPLITS.get(str(sample.facts.get("split", "train")).lower(), 0)
        records[number] = (number, *sample.content, *sample.shape[:2], 0, sample.shape[2], split)
    labels, classes = _labels(samples)
    return ShardIndex(
        records,
        labels,
        classes,
        b"\0".join(_name(sample).encode(errors="replace").replace(b"\0", b"?") for sample in samples),
        size,
        {"divided": all("split" in sample.facts for sample in samples)} | kind_fact(next(iter(counts))),
    )


def _samples(tar: tarfile.TarFile) -> Iterator[_Sample]:
    current: _Sample | None = None
    for member in tar:
        folder, _, base = member.name.rpartition("/")
        key, dot, suffix = base.partition(".")
        key = f"{folder}/{key}" if folder else key
        if not member.isreg() or member.issparse() or not dot or base[0] == ".":
            continue
        if current is None or current.key != key:
            if current is not None:
                yield current
            current = _Sample(key)
        _take(current, "." + suffix.lower().rpartition(".")[2], tar, member)
    if current is not None:
        yield current


def _take(sample: _Sample, suffix: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    sound = suffix in audio.SUFFIXES
    if sound or suffix in images.SUFFIXES or suffix == ".npy":
        sample.kinds.add(RECORDINGS if sound else PICTURES)
        if sample.content is None:
            sample.content = (member.offset_data, member.size)
            sample.shape = _pixels(tar, member) if suffix == ".npy" else (0, 0, 0)
    elif suffix in (".cls", ".txt", ".json") and member.size <= MOST_TEXT:
        file = tar.extractfile(member)
        text = file.read().decode(errors="replace").strip() if file else ""
        if suffix == ".cls":
            sample.labels = sample.labels or ((text,) if text else ())
        elif suffix == ".txt":
            sample.text = text
        else:
            _facts(sample, text)


def _facts(sample: _Sample, text: str) -> None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(found, dict):
        return
    sample.facts = found
    for name in ("labels", "label", "class", "cls"):
        given = found.get(name)
        if isinstance(given, str | int):
            sample.labels = (str(given),)
            return
        if isinstance(given, list):
            sample.labels = tuple(map(str, given))
            return


def _pixels(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[int, int, int]:
    """The shape of an array that can be read as it stands; zeros where it cannot."""
    file = tar.extractfile(member)
    try:
        assert file is not None
        start = io.BytesIO(file.read(1024))
        version = np.lib.format.read_magic(start)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(start)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return 0, 0, 0
    shape = (*shape, 1) if len(shape) == 2 else shape
    whole = len(shape) == 3 and start.tell() + int(np.prod(shape, dtype=object)) == member.size
    if fortran or dtype != np.uint8 or not whole or shape[2] not in (1, 3):
        return 0, 0, 0
    height, width, depth = shape
    return height, width, depth


def _name(sample: _Sample) -> str:
    return str(sample.facts.get("name") or sample.key)


def _labels(samples: list[_Sample]) -> tuple[Any, tuple[str, ...]]:
    """Labels as in `ShardIndex`. A .txt is a class where the words recur, else a caption, and passed over."""
    texts = Counter(sample.text for sample in samples if sample.text)
    if all(sample.labels is None for sample in samples) and 2 * len(texts) <= len(samples):
        for sample in samples:
            sample.labels = (sample.text,) if sample.text else None
    given = [sample.labels or () for sample in samples]
    classes = tuple(sorted({name for names in given for name in names}, key=natural))
    if not classes:
        return None, ()
    number = {name: code for code, name in enumerate(classes)}
    if max(map(len, given)) == 1:
        return np.array([number[names[0]] if names else -1 for names in given], np.int64), classes
    labels = np.zeros((len(given), len(classes)), dtype=bool)
    for row, names in enumerate(given):
        labels[row, [number[name] for name in names]] = True
    return labels, classes


def _error(path: Path, got: str) -> DataError:
    expected = "an uncompressed tar file of pictures or recordings, as webdataset has them"
    return DataError(sentence(str(path), got=got, expected=expected, do="copy it again, or name another"))
