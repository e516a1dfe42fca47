"""Tar files as webdataset has them: what belongs together stands together, under one name."""

from __future__ import annotations

import hashlib
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kakera.data.folders.part_names import part_of
from kakera.data.names import natural
from kakera.data.shards.index import RECORD, ShardIndex, kind_fact
from kakera.data.shards.members import Sample, members_of
from kakera.errors import DataError

BLOCK = 512
CODES = {"train": 0, "val": 1, "test": 2}
RULE = 2  # of what is a sample: an index by an older rule is made anew


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


def index_tar(path: Path) -> ShardIndex:
    """The index of somebody's shard: pictures, uint8 .npy arrays or recordings, .cls, .json or .txt beside.

    `facts` has `divided`: whether every sample says its split. Raises DataError, also where both are there.
    """
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            members = members_of(tar, str(path))
            if tar.offset + BLOCK > size:  # where the next header would be, or the block of zeros at the end
                raise tarfile.ReadError("its end is missing")
    except DataError:
        raise
    except Exception as error:  # of what tarfile makes of broken bytes only some are TarErrors
        got = f"a damaged or compressed tar file ({' '.join(str(error).split())[:80]})"
        raise _error(path, got) from error
    samples = members.samples
    if not samples:
        raise _error(path, "no picture and no recording in it")
    counts = Counter(sample.kind for sample in samples)
    if len(counts) > 1:
        got = " and ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        raise DataError(str(path), got=got, expected="one of both", do="pack them apart")
    records = np.zeros(len(samples), RECORD)
    splits = _splits(path, samples)
    for number, sample in enumerate(samples):
        place = sample.offset, sample.length, *sample.shape[:2]
        records[number] = (number, *place, 0, sample.shape[2], splits[number] if splits else 0)
    labels, classes = _labels(samples)
    return ShardIndex(
        records,
        labels,
        classes,
        b"\0".join(_name(sample).encode(errors="replace").replace(b"\0", b"?") for sample in samples),
        size,
        {"divided": splits is not None, "rule": RULE, "left": members.left} | kind_fact(next(iter(counts))),
    )


def _splits(path: Path, samples: list[Sample]) -> list[int] | None:
    """The code of each sample's part; None where not all say one. Raises DataError for another word."""
    words = [str(sample.facts["split"]) for sample in samples if "split" in sample.facts]
    parts = [part_of(word) for word in words]
    if None in parts and any(parts):
        got, expected = f"split {words[parts.index(None)]}", "train, val or test"
        raise DataError(str(path), got=got, expected=expected, do="pack it with one of these")
    if len(words) < len(samples) or not all(parts):
        return None
    return [CODES[part] for part in parts if part]


def _name(sample: Sample) -> str:
    return str(sample.facts.get("name") or sample.key)


def _labels(samples: list[Sample]) -> tuple[Any, tuple[str, ...]]:
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
    return DataError(str(path), got=got, expected=expected, do="copy it again, or name another")
