"""Batches: the same ones for any number of workers, from any step on."""

from __future__ import annotations

import atexit
import signal
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from kakera import chance
from kakera.data import augment
from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import ArrayPictures, Dataset
from kakera.data.listen import Crops, Place, Windows
from kakera.errors import DataError, StorageError, UnreadableFileError, sentence

HOPELESS = 10  # so many batches in a row without a readable picture end the run


@dataclass(frozen=True)
class Share:
    """What this process reads of each step: the pieces `first`, …, `first + count − 1` out of `of`."""

    first: int = 0
    count: int = 1
    of: int = 1

    def rows(self, size: int) -> list[list[int]]:
        """Places in a step of `size` samples, a list a piece. A place and its mirror are in the same one.

        So samples that are mixed with each other (i with size − 1 − i) are read by the same process.
        """
        found: list[list[int]] = []
        half = (size + 1) // 2
        for piece in range(self.first, self.first + self.count):
            front = range(piece * half // self.of, (piece + 1) * half // self.of)
            back = (size - 1 - row for row in reversed(front) if row != size - 1 - row)
            found.append([*front, *back])
        return found


@dataclass(frozen=True)
class _Order:
    """Which samples step s takes: a slice of the order of its epoch, a list for each piece of the share."""

    count: int
    seed: int
    batch: int
    steps: int
    start: int
    share: Share

    def __iter__(self) -> Iterator[list[Place]]:
        size = min(self.batch, self.count)
        per_epoch = self.count // size
        known, order = -1, np.zeros(0, np.int64)
        for step in range(self.start, self.steps):
            epoch, place = divmod(step, per_epoch)
            if epoch != known:
                known, order = epoch, chance.order(self.seed, epoch, self.count)
            taken = order[place * size : (place + 1) * size]
            for rows in self.share.rows(size):
                yield [(epoch, step, int(taken[row]), row) for row in rows]

    def __len__(self) -> int:
        return (self.steps - self.start) * self.share.count


@dataclass(frozen=True)
class _Straight:
    """Every sample once, in order."""

    count: int
    batch: int

    def __iter__(self) -> Iterator[list[Place]]:
        for step, first in enumerate(range(0, self.count, self.batch)):
            yield [(0, step, i, i) for i in range(first, min(first + self.batch, self.count))]


ALL = Share()


class _Reader(TorchDataset[Any]):
    """Reads whole batches, in the main process or in a worker."""

    def __init__(
        self,
        dataset: Dataset,
        size: tuple[int, int],
        augmentation: Augmentation | None,
        seed: int,
        whole: int,
    ) -> None:
        self.dataset, self.size, self.augmentation, self.seed = dataset, size, augmentation, seed
        self.whole = whole

    def __getitems__(self, places: list[Place]) -> Batch:
        epoch, step = places[0][:2]
        wanted = np.array([index for _, _, index, _ in places])
        pictures, kept, broken = self._read(wanted, epoch)
        samples, rows = wanted[kept], np.array([row for _, _, _, row in places])[kept]
        labels = None
        if self.dataset.labels is not None:
            chosen = self.dataset.labels[samples]
            labels = torch.from_numpy(chosen.astype(np.float32 if self.dataset.several else np.int64))
        return Batch(
            torch.from_numpy(pictures),
            labels,
            torch.from_numpy(samples),
            epoch,
            step,
            broken,
            rows=torch.from_numpy(rows),
            whole=self.whole,
        )

    def _read(
        self, wanted: NDArray[np.int64], epoch: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
        kind = self.augmentation or Augmentation()
        noise = chance.uniform(self.seed, epoch, wanted, "geometry", 3 + 4 * augment.TRIES)
        flip = (noise[:, 0] < 0.5) & kind.flip
        found, kept, broken = self._arrays(wanted, kind, noise, flip)
        if kind.shift and len(found):
            found = augment.shift(found, noise[kept, 1:3], kind.shift)
        return np.ascontiguousarray(found), kept, broken

    def _arrays(
        self,
        wanted: NDArray[np.int64],
        kind: Augmentation,
        noise: NDArray[np.float64],
        flip: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
        pictures, everyone = self.dataset.pictures, np.arange(len(wanted))
        block = pictures.block if isinstance(pictures, ArrayPictures) else None
        if block is not None and augment.is_whole(kind.crop) and block.shape[1:3] == self.size:
            assert isinstance(pictures, ArrayPictures)
            whole = block[pictures.rows[wanted]].transpose(0, 3, 1, 2)
            return np.where(flip[:, None, None, None], whole[..., ::-1], whole), everyone, ()
        read: list[NDArray[np.uint8]] = []
        kept: list[int] = []
        broken: list[UnreadableFileError] = []
        for row, index in enumerate(wanted):
            try:
                read.append(pictures.read(int(index)))
                kept.append(row)
            except UnreadableFileError as error:
                broken.append(error)
        rows = np.array(kept, dtype=np.int64)
        boxes = self._boxes(read, kind, noise[rows])
        cutter = augment.cut if augment.is_whole(kind.crop) else augment.crop
        cut = [cutter(p, b, self.size, flip=bool(flip[r])) for p, b, r in zip(read, boxes, rows, strict=True)]
        empty = np.zeros((0, self.dataset.channels, *self.size), np.uint8)
        return np.stack(cut) if cut else empty, rows, tuple(broken)

    def _boxes(
        self, read: list[NDArray[np.uint8]], kind: Augmentation, noise: NDArray[np.float64]
    ) -> list[tuple[float, float, float, float]] | NDArray[np.float64]:
        if augment.is_whole(kind.crop) or not read:
            return [augment.centre_box((p.shape[0], p.shape[1]), self.size) for p in read]
        sizes = np.array([p.shape[:2] for p in read])
        return augment.random_boxes(noise[:, 3:], sizes, kind.crop, kind.ratio)


def training_batches(
    dataset: Dataset,
    size: tuple[int, int],
    augmentation: Augmentation,
    *,
    seed: int,
    batch: int,
    steps: int,
    start: int = 0,
    workers: int = 0,
    share: Share = ALL,
) -> Iterator[Batch]:
    """Batches `start` … `steps` − 1, each in the pieces of the share; an epoch's partial last is left out.

    Of recordings, waveforms of as many frames as `size` is wide. What is unreadable is dropped and named in
    the batch, which may be left with none. Raises DataError where many batches are.
    """
    sounds, whole = dataset.sounds, min(batch, len(dataset))
    reader = (
        _Reader(dataset, size, augmentation, seed, whole)
        if sounds is None
        else Crops(dataset, sounds.spec.samples(size[1]), augmentation, seed, whole)
    )
    empty = 0
    for found in _load(reader, _Order(len(dataset), seed, batch, steps, start, share), workers):
        empty = 0 if len(found.samples) else empty + 1
        if empty >= HOPELESS:
            raise DataError(
                sentence(
                    dataset.name,
                    got=f"{empty} batches in a row without a readable file ({found.unreadable[0]})",
                    expected="files that can be read",
                    do="look at the files",
                )
            )
        yield found


def evaluation_batches(
    dataset: Dataset, size: tuple[int, int], *, batch: int, workers: int = 0
) -> Iterator[Batch]:
    """Every picture once, in order, its middle; the last batch may be smaller.

    Of a recording all windows of as many frames as `size` is wide, one after another.
    """
    sounds = dataset.sounds
    if sounds is not None:
        windows = Windows(dataset, sounds.spec.samples(size[1]))
        return _load(windows, _Straight(len(windows), batch), workers)
    return _load(_Reader(dataset, size, None, 0, len(dataset)), _Straight(len(dataset), batch), workers)


def _load(reader: TorchDataset[Any], order: _Order | _Straight, workers: int) -> Iterator[Batch]:
    loader: DataLoader[Any] = DataLoader(
        reader,
        batch_sampler=order,  # type: ignore[arg-type]  # places carry epoch and step beside the number
        num_workers=workers,
        collate_fn=_as_it_is,  # type: ignore[arg-type]  # the reader already returns whole batches
        prefetch_factor=4 if workers else None,
        worker_init_fn=_heedless if workers else None,
    )
    batches = iter(loader)
    if workers:
        _LIVE.add(batches)
    return _in_one_line(batches)


def _in_one_line(batches: Iterator[Batch]) -> Iterator[Batch]:
    """What stops a worker, in its own words: without the traceback that PyTorch puts around them."""
    try:
        yield from batches
    except (DataError, StorageError) as error:
        words = str(error).rstrip().rpartition(f"\n{type(error).__module__}.{type(error).__name__}: ")[2]
        raise type(error)(words) from None


_LIVE: weakref.WeakSet[Any] = weakref.WeakSet()  # iterators that have processes


@atexit.register
def _end_workers() -> None:
    """Heedless as they are, they would not end when Python asks them to as it ends itself."""
    for batches in list(_LIVE):
        for worker in batches._workers:  # PyTorch has no name for them
            worker.kill()


def _heedless(worker: int) -> None:
    """Ctrl-C and SIGTERM, which may reach all processes, are for the one that trains: it ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _as_it_is(batch: Batch) -> Batch:
    return batch
