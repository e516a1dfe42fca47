"""Tar files in the webdataset format: the members of one sample are neighbours and share a key."""

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
RULE = 2  # version of the rules for samples: an index by older rules is made again


class TarWriter:
    """A writer of tar members that always writes the same bytes, and computes their SHA-256.

    Example:

        >>> import io
        >>> writer = TarWriter(io.BytesIO())
        >>> writer.add("000.txt", b"owl"), len(writer.finish()), writer.size
        (512, 64, 2048)
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self._digest = file, 0, hashlib.sha256()

    def add(self, name: str, content: bytes) -> int:
        """Add a member; return the offset of its content in the file, in bytes."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        self._write(info.tobuf(tarfile.USTAR_FORMAT))
        start = self.size
        self._write(content)
        self._write(bytes(-len(content) % BLOCK))
        return start

    def finish(self) -> str:
        """Write the end of the archive; return the SHA-256 of the whole file."""
        self._write(bytes(2 * BLOCK))
        return self._digest.hexdigest()

    def _write(self, content: bytes) -> None:
        self.file.write(content)
        self._digest.update(content)
        self.size += len(content)


def index_tar(path: Path) -> ShardIndex:
    """Return the index of a shard from another tool.

    Pictures, uint8 .npy arrays and recordings are read, with their .cls, .json or .txt members. `divided` of
    the index's `facts` is True if every sample has a split. Raises DataError, also for a shard with both
    pictures and recordings.

    Example:

        >>> with open("one.tar", "wb") as file:
        ...     writer = TarWriter(file)
        ...     _ = writer.add("a.png", b"..."), writer.add("a.cls", b"3"), writer.finish()
        >>> index_tar(Path("one.tar")).classes
        ('3',)
    """
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            members = members_of(tar, str(path))
            if tar.offset + BLOCK > size:  # a next header, or the block of zeros at the end, must fit
                raise tarfile.ReadError("the end is missing")
    except DataError:
        raise
    except Exception as error:  # for damaged bytes tarfile raises more than TarErrors
        got = f"a damaged or compressed tar file ({' '.join(str(error).split())[:80]})"
        raise _error(path, got) from error
    samples = members.samples
    if not samples:
        raise _error(path, "no picture and no recording")
    counts = Counter(sample.kind for sample in samples)
    if len(counts) > 1:
        got = " and ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        raise DataError(
            str(path), got=got, expected="only one of the two", do="pack them into separate shards"
        )
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
    """Return the code of each sample's part; None unless all have one. Raises DataError for other words."""
    words = [str(sample.facts["split"]) for sample in samples if "split" in sample.facts]
    parts = [part_of(word) for word in words]
    if None in parts and any(parts):
        got, expected = f"split {words[parts.index(None)]}", "train, val or test"
        raise DataError(str(path), got=got, expected=expected, do="correct the split, and pack again")
    if len(words) < len(samples) or not all(parts):
        return None
    return [CODES[part] for part in parts if part]


def _name(sample: Sample) -> str:
    return str(sample.facts.get("name") or sample.key)


def _labels(samples: list[Sample]) -> tuple[Any, tuple[str, ...]]:
    """Return labels as in `ShardIndex`. A .txt is a class if the texts repeat, else a skipped caption."""
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
    expected = "an uncompressed tar file of pictures or recordings in the webdataset format"
    return DataError(str(path), got=got, expected=expected, do="copy it again, or choose another file")
