"""The index of a shard: a record of each picture or recording, labels, names; on disk a plain .npz file."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import PICTURES, RECORDINGS
from kakera.errors import DataError
from kakera.out_of_memory import raise_out_of_memory

VERSION = 1
SUFFIX = ".index.npz"
RECORD = np.dtype(
    [
        ("number", "<i8"),  # row in the packed source
        ("offset", "<i8"),  # of the content in the tar file, in bytes
        ("length", "<i8"),
        ("height", "<i4"),  # 0 if only the file itself has it, and for recordings
        ("width", "<i4"),
        ("crc", "<u4"),  # zlib.crc32 of the bytes; 0 if it was not computed
        ("depth", "u1"),  # channels of raw pixels; 0 for an encoded file
        ("split", "u1"),  # number in dataset.PARTS
    ]
)


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """The index of n pictures or recordings in one tar file of `size` bytes.

    `labels` is int64 (n,), numbers in `classes` or −1 without a label; or bool (n, classes) for multi-label
    data. `names` are joined by zero bytes.

    Example:

        >>> index = ShardIndex(np.zeros(1, RECORD), np.array([0]), ("cat",), b"cat/1.png", 1536)
        >>> read_index(index.to_bytes(), "000000.index.npz").classes
        ('cat',)
    """

    records: NDArray[Any]
    labels: NDArray[Any] | None
    classes: tuple[str, ...]
    names: bytes
    size: int
    facts: dict[str, Any] = field(default_factory=dict)
    """`sha256` of the tar file; `divided`: True if the split is the source's own; `unreadable` files; `left`.

    `kind` is set if the shard has recordings.
    """

    @property
    def kind(self) -> str:
        """RECORDINGS or PICTURES, which is the default."""
        return self.facts.get("kind", PICTURES)

    def to_bytes(self) -> bytes:
        """Return the bytes of the .npz file."""
        facts = {**self.facts, "version": VERSION, "bytes": self.size, "classes": self.classes}
        arrays = {
            "records": self.records,
            "names": _blob(self.names),
            "facts": _blob(json.dumps(facts).encode()),
        }
        if self.labels is not None:
            arrays["labels"] = self.labels
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]  # names are ours
        return file.getvalue()


def kind_fact(kind: str) -> dict[str, str]:
    """Return the entry for the kind in an index; none for pictures, as in older indexes.

    Example:

        >>> kind_fact("recordings"), kind_fact("pictures")
        ({'kind': 'recordings'}, {})
    """
    return {"kind": kind} if kind == RECORDINGS else {}


def read_index(content: bytes, path: Path | str) -> ShardIndex:
    """Return the index from the bytes that `to_bytes` returned; `path` is for messages.

    Raises DataError for any other bytes. See `ShardIndex`.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays["facts"].tobytes())
        index = ShardIndex(
            records=arrays["records"],
            labels=arrays.get("labels"),
            classes=tuple(map(str, facts.pop("classes"))),
            names=arrays["names"].tobytes(),
            size=int(facts.pop("bytes")),
            facts=facts,
        )
        fault = "another version of the index" if facts.pop("version") != VERSION else _fault(index)
    except Exception as error:  # zip files and arrays raise nearly every kind of error on broken bytes
        raise_out_of_memory(error)
        fault, index = f"a damaged index ({' '.join(str(error).split())[:80]})", None
    if fault or index is None:
        raise DataError(
            str(path),
            got=fault,
            expected="an index from kakera pack",
            do="pack the data again, or delete the file",
        )
    return index


def _fault(index: ShardIndex) -> str:
    """Return a description of an impossible value in the index; "" if there is none."""
    records, count = index.records, len(index.records)
    if records.dtype != RECORD or records.ndim != 1:
        return "other columns"
    if index.kind not in (PICTURES, RECORDINGS):
        return "a kind other than pictures or recordings"
    if index.labels is not None and len(index.labels) != count:
        return f"{count} {index.kind} and {len(index.labels)} labels"
    if count and index.names.count(b"\0") != count - 1:
        return f"{count} {index.kind} and {index.names.count(0) + 1} names"
    numbers = {
        name: records[name].astype(np.float64) for name in ("offset", "length", "height", "width", "depth")
    }
    pixels = numbers["height"] * numbers["width"] * numbers["depth"]
    if (
        min((int(values.min()) for values in numbers.values() if count), default=0) < 0
        or (numbers["offset"] + numbers["length"] > index.size).any()
        or (pixels > numbers["length"]).any()
    ):
        return "positions outside the shard"
    if not np.isin(records["depth"], (0, 1, 3)).all() or (records["split"] > 2).any():
        return "unknown depths or splits"
    labels = index.labels
    if labels is not None and labels.ndim == 1 and count and int(labels.max()) >= len(index.classes):
        return "labels without a class"
    return ""


def _blob(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)
