"""The processes that write shards: each takes the next one that nobody has, and dies with its parent."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera import chance
from kakera.data.dataset import PARTS, Dataset, FilePictures
from kakera.data.shard_index import PICTURES, RECORD, RECORDINGS, SUFFIX, ShardIndex, kind_fact
from kakera.data.shards import ShardPictures
from kakera.data.sounds import FileSounds, spanned
from kakera.data.tar import TarWriter
from kakera.errors import DataError, KakeraError, UnreadableFileError, sentence
from kakera.storage import whole_file, write_atomically

TELL = 16  # pictures or recordings between two messages to the parent


@dataclass(frozen=True)
class Job:
    """What is packed, and how. `side` 0: pixels as they are; `files`: the bytes of the files instead.

    Recordings are always kept as files.
    """

    dataset: Dataset
    folder: Path
    divided: bool
    side: int
    files: bool
    shard_size: int

    @property
    def count(self) -> int:
        """Shards."""
        return -(-len(self.dataset) // self.shard_size)

    def stem(self, number: int) -> str:
        """Of a shard's files."""
        return f"{number:06d}"

    def title(self, number: int) -> str:
        """Of its tar file."""
        return f"{self.stem(number)}.tar"

    def rows(self, number: int) -> NDArray[np.int64]:
        """Its pictures: shuffled once for all, for readers that can only shuffle what lies near."""
        return self._order[number * self.shard_size : (number + 1) * self.shard_size]

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return chance.order(0, 0, len(self.dataset), "pack")

    @property
    def kind(self) -> str:
        """Of what the shards are: PICTURES or RECORDINGS."""
        return PICTURES if self.dataset.sounds is None else RECORDINGS

    @cached_property
    def _paths(self) -> list[Path]:
        """Of the files that are packed, without what all begin with; none where they are something else."""
        pictures = self.dataset.pictures
        given = pictures.paths if isinstance(pictures, FilePictures | FileSounds) else []
        paths = [path.absolute() for path in given if isinstance(path, Path)]
        if not paths or len(paths) < len(given):
            return []
        above = os.path.commonpath([path.parent for path in paths])
        return [path.relative_to(above) for path in paths]

    def name(self, row: int) -> str:
        """Without what all paths begin with; of a span with its times."""
        pictures = self.dataset.pictures
        if not self._paths:
            return pictures.name(row)
        name = self._paths[row].as_posix()
        return spanned(name, pictures.spans[row]) if isinstance(pictures, FileSounds) else name


def pack_shards(
    job: Job, numbers: Sequence[int], workers: int, progress: Callable[[int, int], None] | None
) -> None:
    """Write these shards. Raises StorageError and what else stops a worker."""
    total, done = sum(len(job.rows(number)) for number in numbers), 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if count and progress is not None:
            progress(done, total)

    if workers == 1:
        for number in numbers:
            write_shard(job, number, tell)
        return
    context = multiprocessing.get_context()
    taken = context.Value("q", 0)
    readers: list[Connection] = []
    processes: list[Any] = []
    try:
        for _ in range(workers):
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(job, numbers, taken, writer, os.getpid()), daemon=True
            )
            process.start()
            writer.close()
            readers.append(reader)
            processes.append(process)
        while readers:
            for reader in wait(readers):
                assert isinstance(reader, Connection)
                try:
                    said = reader.recv()
                except EOFError:
                    readers.remove(reader)
                    continue
                if isinstance(said, BaseException):
                    raise said
                tell(said)
        for process in processes:
            process.join()
            if process.exitcode:
                got = f"a process that ended with {process.exitcode}"
                expected, do = "all shards", "run it again, with fewer --workers if memory is short"
                raise DataError(sentence(str(job.folder), got=got, expected=expected, do=do))
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(job: Job, numbers: Sequence[int], taken: Any, writer: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us

    def tell(count: int) -> None:
        if os.getppid() != parent:
            os._exit(1)
        if count:
            writer.send(count)

    try:
        while True:
            with taken.get_lock():
                place = taken.value
                taken.value += 1
            if place >= len(numbers):
                break
            write_shard(job, numbers[place], tell)
    except KakeraError as error:
        writer.send(error)
    except BrokenPipeError:  # the parent has gone
        os._exit(1)
    writer.close()


def write_shard(job: Job, number: int, tell: Callable[[int], None] = lambda count: None) -> None:
    """The tar file, then its index, each whole or not there. Raises StorageError."""
    rows = job.rows(number)
    records, kept, names = np.zeros(len(rows), RECORD), [], []
    unreadable: list[tuple[str, str]] = []
    with whole_file(job.folder / job.title(number)) as file:
        tar, told = TarWriter(file), 0
        for place, row in enumerate(map(int, rows)):
            try:
                records[len(kept)] = _add(job, tar, row)
                kept.append(row)
                names.append(job.name(row).encode(errors="replace"))
            except UnreadableFileError as error:
                unreadable.append((error.path, error.reason))
            tell(place + 1 - told if place % TELL == TELL - 1 else 0)
            told = place + 1 if place % TELL == TELL - 1 else told
        sha256 = tar.finish()
    labels = job.dataset.labels
    index = ShardIndex(
        records[: len(kept)],
        None if labels is None else labels[kept],
        job.dataset.classes,
        b"\0".join(names),
        tar.size,
        {"sha256": sha256, "divided": job.divided, "unreadable": unreadable} | kind_fact(job.kind),
    )
    write_atomically(job.folder / (job.stem(number) + SUFFIX), index.to_bytes())
    tell(len(rows) - told)


def _add(job: Job, tar: TarWriter, row: int) -> tuple[int, ...]:
    """One of them and what is known of it; returns its record. Raises UnreadableFileError."""
    dataset = job.dataset
    content, suffix, (height, width, depth) = _content(job, row)
    key = f"{row:09d}"
    offset = tar.add(key + suffix, content)
    facts: dict[str, Any] = {"name": job.name(row)}
    if job.divided:
        facts["split"] = str(dataset.split[row])
    if dataset.labels is not None and dataset.several:
        facts["labels"] = [dataset.classes[code] for code in np.flatnonzero(dataset.labels[row])]
    elif dataset.labels is not None and dataset.labels[row] >= 0:
        tar.add(key + ".cls", str(int(dataset.labels[row])).encode())
        facts["label"] = dataset.classes[dataset.labels[row]]
    tar.add(key + ".json", json.dumps(facts, ensure_ascii=False).encode(errors="replace"))
    split = PARTS.index(str(dataset.split[row]))
    return row, offset, len(content), height, width, zlib.crc32(content), depth, split


def _content(job: Job, row: int) -> tuple[bytes, str, tuple[int, int, int]]:
    """The member, its suffix, and its shape: only what can be decoded is packed, also of files."""
    dataset = job.dataset
    if dataset.sounds is not None:
        return *dataset.sounds.file(row), (0, 0, 0)
    values = dataset.pictures.read(row)
    if job.files:
        return *_file(dataset, row), (values.shape[0], values.shape[1], 0)
    values = bounded(values, job.side)
    return _npy(values), ".npy", (values.shape[0], values.shape[1], values.shape[2])


def bounded(values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(H, W, C) whose shorter side is at most `side`, by antialiased bicubic; 0: as they are."""
    height, width, channels = values.shape
    if not 0 < side < min(height, width):
        return values
    scale = side / min(height, width)
    image = Image.fromarray(values[..., 0] if channels == 1 else values)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC)).reshape(size[1], size[0], channels)


def _npy(values: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(values), allow_pickle=False)
    return file.getvalue()


def _file(dataset: Dataset, row: int) -> tuple[bytes, str]:
    pictures = dataset.pictures
    if isinstance(pictures, FilePictures):
        path = pictures.paths[row]
        try:
            return path.read_bytes(), path.suffix.lower()
        except OSError as error:
            raise UnreadableFileError(path, f"got {error.strerror}, expected a picture") from error
    assert isinstance(pictures, ShardPictures)
    return pictures.content(row), Path(pictures.name(row)).suffix.lower() or ".jpg"
