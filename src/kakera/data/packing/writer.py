"""The writer of one shard: its tar file and its index, with the bytes of each picture or recording."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.dataset import PARTS
from kakera.data.images.resize import resized
from kakera.data.packing.job import PackingJob
from kakera.data.shards.index import RECORD, SUFFIX, ShardIndex, kind_fact
from kakera.data.shards.tar import TarWriter
from kakera.errors import UnreadableFileError
from kakera.storage import whole_file, write_atomically

TELL = 16  # pictures or recordings between two progress reports


def write_shard(job: PackingJob, number: int, tell: Callable[[int], None] = lambda count: None) -> None:
    """Write the tar file, then its index; each file appears only when it is complete. Raises StorageError.

    `tell` is called with the number of pictures or recordings written since its last call.

    Example:

        >>> from pathlib import Path
        >>> from kakera.data.sources.open import open_dataset
        >>> two = open_dataset("demo").take([0, 1])
        >>> write_shard(PackingJob(two, Path("shards"), True, side=0, files=False, shard_size=2), 0)
        >>> sorted(path.name for path in Path("shards").iterdir())
        ['000000.index.npz', '000000.tar']
    """
    rows = job.rows(number)
    records, kept, names = np.zeros(len(rows), RECORD), [], []
    unreadable: list[tuple[str, str]] = []
    with whole_file(job.folder / job.title(number)) as file:
        tar, reported = TarWriter(file), 0
        for place, row in enumerate(map(int, rows)):
            try:
                records[len(kept)] = _add(job, tar, row)
                kept.append(row)
                names.append(job.name(row).encode(errors="replace"))
            except UnreadableFileError as error:
                unreadable.append((error.path, error.reason))
            tell(place + 1 - reported if place % TELL == TELL - 1 else 0)
            reported = place + 1 if place % TELL == TELL - 1 else reported
        sha256 = tar.finish()
    labels = job.dataset.labels
    index = ShardIndex(
        records[: len(kept)],
        None if labels is None else labels[kept],
        job.dataset.classes,
        b"\0".join(names),
        tar.size,
        {"sha256": sha256, "divided": job.divided, "unreadable": unreadable} | kind_fact(job.dataset.kind),
    )
    write_atomically(job.folder / (job.stem(number) + SUFFIX), index.to_bytes())
    tell(len(rows) - reported)


def _add(job: PackingJob, tar: TarWriter, row: int) -> tuple[int, ...]:
    """Add one picture or recording and its facts; return its record. Raises UnreadableFileError."""
    dataset = job.dataset
    content, suffix, (height, width, depth) = _content(job, row)
    key = f"{row:09d}"
    offset = tar.add(key + suffix, content)
    facts: dict[str, Any] = {"name": job.name(row)}
    if job.divided:
        facts["split"] = str(dataset.split[row])
    if dataset.labels is not None and dataset.multi_label:
        facts["labels"] = [dataset.classes[code] for code in np.flatnonzero(dataset.labels[row])]
    elif dataset.labels is not None and dataset.labels[row] >= 0:
        tar.add(key + ".cls", str(int(dataset.labels[row])).encode())
        facts["label"] = dataset.classes[dataset.labels[row]]
    tar.add(key + ".json", json.dumps(facts, ensure_ascii=False).encode(errors="replace"))
    split = PARTS.index(str(dataset.split[row]))
    return row, offset, len(content), height, width, zlib.crc32(content), depth, split


def _content(job: PackingJob, row: int) -> tuple[bytes, str, tuple[int, int, int]]:
    """Return the bytes of the member, its suffix, and its shape; decode the content first as a check."""
    dataset = job.dataset
    if dataset.sounds is not None:
        return *dataset.sounds.file(row), (0, 0, 0)
    values = dataset.pictures.read(row)
    if job.files:
        return dataset.pictures.content(row), job.suffix, (values.shape[0], values.shape[1], 0)
    values = bounded(values, job.side)
    return _npy(values), ".npy", (values.shape[0], values.shape[1], values.shape[2])


def bounded(values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return (H, W, C) with a shorter side of at most `side` pixels; 0 changes nothing.

    Larger pictures are resized with antialiased bicubic interpolation.

    Example:

        >>> bounded(np.zeros((64, 128, 3), np.uint8), 32).shape
        (32, 64, 3)
    """
    height, width, _ = values.shape
    if not 0 < side < min(height, width):
        return values
    scale = side / min(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return resized(values, size, Image.Resampling.BICUBIC)


def _npy(values: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(values), allow_pickle=False)
    return file.getvalue()
