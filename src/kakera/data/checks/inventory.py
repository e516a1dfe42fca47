"""A record of each file of a data set at the start of a run, in 25 bytes, to count later changes.

The digest shows that something changed; the inventory shows how much, such as "3 labels" or "2 files
removed".
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from kakera.data.checks.digest import FILES, LABELS, SPLIT, chosen_rows, pieces_of, relative_names, sizes_of
from kakera.data.dataset import Dataset

INVENTORY = "data.npy"
BLOCK = 1024  # files at a time
MOST = 1_000_000  # files above which changes are reported without numbers
PARTS = ("train", "val", "test")
Rows = NDArray[np.void]
ROW = np.dtype([("name", "<u8"), ("size", "<i8"), ("label", "<u4"), ("content", "<u4"), ("part", "u1")])


def inventory(dataset: Dataset) -> Rows | None:
    """Return a row for each file; None if there are more than 1 000 000 files.

    A row has hashes of the name and the label, the size in bytes, the part, and the content: a checksum of
    the pieces in the digest for some files, 0 for the others.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> rows = inventory(open_dataset("demo").take([0, 1, 2]))
        >>> rows.shape, rows.dtype.itemsize
        ((3,), 25)
    """
    count = len(dataset)
    if count > MOST:
        return None
    found = np.zeros(count, ROW)
    found["name"] = np.fromiter(map(_hash, _texts(dataset)), np.uint64, count)
    found["label"] = _labels(dataset)
    found["part"] = [PARTS.index(part) + 1 if part in PARTS else 0 for part in dataset.split.tolist()]
    files = dataset.pictures
    records = files.records()
    if records is not None:
        found["size"], found["content"] = records["length"], records["crc"]
    elif files.on_disk:
        sources = files.paths
        blocks = (sources[first : first + BLOCK] for first in range(0, count, BLOCK))
        found["size"] = np.fromiter(chain.from_iterable(map(sizes_of, blocks)), np.int64, count)
        for row in chosen_rows(count):
            found["content"][row] = zlib.crc32(pieces_of(sources[row])) or 1
    return found


def changes(before: Rows, now: Rows, kinds: Sequence[str] = (FILES, LABELS, SPLIT)) -> list[str]:
    """Return the differences with their numbers: "3 labels", "2 files removed"; empty if none is detected.

    `kinds` are those of files, labels and split whose digests differ.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> rows = inventory(open_dataset("demo").take([0, 1, 2]))
        >>> changes(rows, rows[:1])
        ['2 files removed']
    """
    old, new = (rows[np.argsort(rows["name"], kind="stable")] for rows in (before, now))
    gone, come = (_only(one, other) for one, other in ((old, new), (new, old)))
    found = [(FILES, "{} removed", gone), (FILES, "{} added", come)]
    old, new = old[~gone], new[~come]
    if len(old) == len(new):  # no match if a name was there twice and one of the two was removed
        same = old["size"] == new["size"]
        both = (old["content"] > 0) & (new["content"] > 0) & same
        found += [
            (FILES, "{} with another size", ~same),
            (FILES, "{} with changed content", (old["content"] != new["content"]) & both),
            (LABELS, "", old["label"] != new["label"]),
            (SPLIT, "{} in another part", old["part"] != new["part"]),
        ]
    lines: list[str] = []
    for kind, words, where in found:
        count = int(where.sum())
        if count and kind in kinds:
            what = "label" if kind == LABELS else "file"
            lines.append((words or "{}").format(f"{count:,} {what}{'s' * (count > 1)}"))
    if not lines and len(before) == len(now) and not np.array_equal(before["name"], now["name"]):
        return ["files in another order"]
    return lines


def packed(rows: Rows) -> bytes:
    """Return the rows as the bytes of an .npy file. See `unpacked`."""
    content = io.BytesIO()
    np.save(content, rows, allow_pickle=False)
    return content.getvalue()


def unpacked(content: bytes) -> Rows | None:
    """Return the rows from the bytes of an .npy file; None if they are not an inventory.

    Example:

        >>> unpacked(packed(np.zeros(2, ROW))).shape
        (2,)
        >>> unpacked(b"other") is None
        True
    """
    try:
        rows = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.dtype == ROW and rows.ndim == 1 else None


def _texts(dataset: Dataset) -> Iterator[str]:
    for names in relative_names(dataset.pictures):
        yield from names


def _hash(text: str, size: int = 8) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogateescape"), digest_size=size).digest(), "little")


def _labels(dataset: Dataset) -> NDArray[np.uint32] | int:
    """Return a hash of each file's class names, so that a new class does not change other files."""
    if dataset.labels is None:
        return 0
    if dataset.regression:
        numbers = [blake2b(row.tobytes(), digest_size=4).digest() for row in dataset.labels.astype("<f8")]
        return np.frombuffer(b"".join(numbers), "<u4").astype(np.uint32)
    names = np.array([_hash(name, 4) for name in dataset.classes], np.uint32)
    if dataset.multi_label:
        blocks = (dataset.labels[first : first + BLOCK] for first in range(0, len(dataset), BLOCK))
        sums = [np.where(block, names, np.uint32(0)).sum(axis=1, dtype=np.uint32) for block in blocks]
        return np.concatenate([np.zeros(0, np.uint32), *sums])
    labels = dataset.labels.astype(np.int64)
    return np.where(labels >= 0, names[np.maximum(labels, 0)] if len(names) else 0, 0).astype(np.uint32)


def _only(rows: Rows, others: Rows) -> NDArray[np.bool_]:
    return ~np.isin(rows["name"], others["name"])
