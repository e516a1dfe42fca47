"""Batches: the same ones for any number of workers, from any step on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from kakera import seeding
from kakera.data.audio.batches import Crops, Windows
from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import Dataset
from kakera.data.images import augment
from kakera.data.images.crop import CenterCrop
from kakera.data.order import ALL, BatchSlice, Place, SequentialSampler, TrainingSampler
from kakera.data.workers import read_batches
from kakera.errors import DataError, UnreadableFileError

Masks: TypeAlias = Callable[[Batch], Any]
"""Draws the mask of a batch: tensors in tuples. A function, so that `data/` knows nothing of models."""

HOPELESS = 10  # so many batches in a row without a readable picture end the run


class Reader(TorchDataset[Any]):
    """Reads whole batches, in the main process or in a worker."""

    def __init__(
        self,
        dataset: Dataset,
        crop: CenterCrop,
        augmentation: Augmentation | None,
        seed: int,
        whole: int,
    ) -> None:
        self.dataset, self.crop, self.augmentation, self.seed = dataset, crop, augmentation, seed
        self.size, self.whole = crop.size, whole

    def __getitems__(self, places: list[Place]) -> Batch:
        epoch, step = places[0][:2]
        wanted = np.array([index for _, _, index, _ in places])
        pictures, kept, broken = self._read(wanted, epoch)
        samples, rows = wanted[kept], np.array([row for _, _, _, row in places])[kept]
        labels = None
        if self.dataset.labels is not None:
            chosen = self.dataset.labels[samples]
            labels = torch.from_numpy(chosen.astype(np.float32 if self.dataset.multi_label else np.int64))
        return Batch(
            torch.from_numpy(pictures),
            labels,
            torch.from_numpy(samples),
            epoch,
            step,
            broken,
            rows=torch.from_numpy(rows),
            whole=self.whole,
            clipped=self._clipped(),
        )

    def _clipped(self) -> tuple[tuple[str, int], ...]:
        """What has been clipped since the batch before."""
        found = tuple(self.dataset.pictures.clipped.items())
        self.dataset.pictures.clipped.clear()
        return found

    def _read(
        self, wanted: NDArray[np.int64], epoch: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
        kind = self.augmentation or Augmentation()
        flip = np.zeros(len(wanted), dtype=bool)
        if kind.flip:
            flip = self._noise(epoch, wanted, 0, 1)[:, 0] < 0.5
        found, kept, broken = self._arrays(wanted, epoch, kind, flip)
        if kind.shift and len(found):
            found = augment.shift(found, self._noise(epoch, wanted[kept], 1, 2), kind.shift)
        return np.ascontiguousarray(found), kept, broken

    def _noise(self, epoch: int, samples: NDArray[np.int64], first: int, count: int) -> NDArray[np.float64]:
        """Of a picture's numbers the first is for the mirror, two for the shift, the others for the crop."""
        return seeding.uniform(self.seed, epoch, samples, "geometry", count, first)

    def _arrays(
        self,
        wanted: NDArray[np.int64],
        epoch: int,
        kind: Augmentation,
        flip: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
        pictures, everyone = self.dataset.pictures, np.arange(len(wanted))
        size = pictures.common_size
        if size is not None and augment.is_whole(kind.crop) and self.crop.is_all_of(size):
            whole = pictures.stack(wanted).transpose(0, 3, 1, 2)
            turned = np.where(flip[:, None, None, None], whole[..., ::-1], whole) if flip.any() else whole
            return turned, everyone, ()
        whole = augment.is_whole(kind.crop)
        read: list[NDArray[np.uint8]] = []
        kept: list[int] = []
        broken: list[UnreadableFileError] = []
        for row, index in enumerate(wanted):
            try:
                read.append(self._middle(int(index), flip[row]) if whole else pictures.read(int(index)))
                kept.append(row)
            except UnreadableFileError as error:
                broken.append(error)
        rows = np.array(kept, dtype=np.int64)
        if not read:
            return np.zeros((0, self.dataset.channels, *self.size), np.uint8), rows, tuple(broken)
        if whole:
            return np.stack(read), rows, tuple(broken)
        sizes = np.array([picture.shape[:2] for picture in read])
        noise = self._noise(epoch, wanted[rows], 3, 4 * augment.TRIES)
        boxes = augment.random_boxes(noise, sizes, kind.crop, kind.ratio)
        return augment.crops(read, boxes, self.size, flip[rows]), rows, tuple(broken)

    def _middle(self, index: int, flip: np.bool_) -> NDArray[np.uint8]:
        """The middle of a whole picture, (C, *size)."""
        middle = self.dataset.pictures.center_crop(index, self.crop)
        return middle[..., ::-1] if flip else middle


class MaskedReader(TorchDataset[Any]):
    """Another reader's batches with their masks."""

    def __init__(self, reader: Reader | Crops, masks: Masks) -> None:
        self.reader, self.masks = reader, masks

    def __getitems__(self, places: list[Place]) -> Batch:
        batch = self.reader.__getitems__(places)
        return replace(batch, mask=self.masks(batch)) if len(batch.samples) else batch


def training_batches(
    dataset: Dataset,
    size: tuple[int, int] | CenterCrop,
    augmentation: Augmentation,
    *,
    seed: int,
    batch: int,
    steps: int,
    start: int = 0,
    workers: int = 0,
    share: BatchSlice = ALL,
    pinned: bool = False,
    masks: Masks | None = None,
) -> Iterator[Batch]:
    """Batches `start` … `steps` − 1, each in the pieces of the share; an epoch's partial last is left out.

    Of recordings, waveforms of as many frames as `size` is wide. What is unreadable is dropped and named in
    the batch, which may be left with none; `pinned` for a GPU to fetch. `masks` draws what is hidden of each
    batch, where it is read. Raises DataError where many batches are unreadable.
    """
    sounds, whole, crop = dataset.sounds, min(batch, len(dataset)), CenterCrop.of(size)
    reader = (
        Reader(dataset, crop, augmentation, seed, whole)
        if sounds is None
        else Crops(dataset, sounds.spec.samples(crop.size[1]), augmentation, seed, whole)
    )
    reader = reader if masks is None else MaskedReader(reader, masks)
    empty = 0
    order = TrainingSampler(len(dataset), seed, batch, steps, start, share)
    for found in read_batches(reader, order, workers, pinned=pinned):
        empty = 0 if len(found.samples) else empty + 1
        if empty >= HOPELESS:
            raise DataError(
                dataset.name,
                got=f"{empty} batches in a row without a readable file ({found.unreadable[0]})",
                expected="files that can be read",
                do="look at the files",
            )
        yield found


def evaluation_batches(
    dataset: Dataset, size: tuple[int, int] | CenterCrop, *, batch: int, workers: int = 0
) -> Iterator[Batch]:
    """Every picture once, in order, what the crop of it sees; the last batch may be smaller.

    Of a recording all windows of as many frames as `size` is wide, one after another.
    """
    sounds, crop = dataset.sounds, CenterCrop.of(size)
    if sounds is not None:
        windows = Windows(dataset, sounds.spec.samples(crop.size[1]))
        return read_batches(windows, SequentialSampler(len(windows), batch), workers)
    return read_batches(
        Reader(dataset, crop, None, 0, len(dataset)), SequentialSampler(len(dataset), batch), workers
    )
