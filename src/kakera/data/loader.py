"""Loading of batches: they are the same for any number of workers and from any first step."""

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
"""A function that draws the mask of a batch, as tensors in tuples; so `data/` does not depend on models."""

HOPELESS = 10  # batches in a row without a readable picture, after which the run ends


class Reader(TorchDataset[Any]):
    """A data set that reads whole batches of pictures, in the main process or in a worker.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.zeros((9, 8, 8, 1), np.uint8))
        >>> dataset = Dataset("digits", pictures, 1, np.array(["train"] * 9))
        >>> reader = Reader(dataset, CenterCrop((8, 8)), None, seed=0, whole=2)
        >>> reader.__getitems__([(0, 0, 5, 0), (0, 0, 7, 1)]).samples
        tensor([5, 7])
    """

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
        numbers = np.array([index for _, _, index, _ in places])
        pictures, readable, broken = self._read(numbers, epoch)
        samples, rows = numbers[readable], np.array([row for _, _, _, row in places])[readable]
        labels = None
        if self.dataset.labels is not None:
            chosen = self.dataset.labels[samples]
            labels = torch.from_numpy(chosen.astype(np.int64 if chosen.ndim == 1 else np.float32))
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
        """Return the files with clipped values since the last batch, and the number of these values."""
        found = tuple(self.dataset.pictures.clipped.items())
        self.dataset.pictures.clipped.clear()
        return found

    def _read(
        self, numbers: NDArray[np.int64], epoch: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
        kind = self.augmentation or Augmentation()
        flip = np.zeros(len(numbers), dtype=bool)
        if kind.flip:
            flip = self._noise(epoch, numbers, 0, 1)[:, 0] < 0.5
        pictures, readable, broken = self._arrays(numbers, epoch, kind, flip)
        if kind.shift and len(pictures):
            pictures = augment.shift(pictures, self._noise(epoch, numbers[readable], 1, 2), kind.shift)
        return np.ascontiguousarray(pictures), readable, broken

    def _noise(self, epoch: int, samples: NDArray[np.int64], first: int, count: int) -> NDArray[np.float64]:
        """Draw random numbers for each sample: the first for the flip, two for the shift, then the crop's."""
        return seeding.uniform(self.seed, epoch, samples, "geometry", count, first)

    def _arrays(
        self,
        numbers: NDArray[np.int64],
        epoch: int,
        kind: Augmentation,
        flip: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
        pictures, everyone = self.dataset.pictures, np.arange(len(numbers))
        size = pictures.common_size
        if size is not None and augment.is_whole(kind.crop) and self.crop.is_all_of(size):
            whole = pictures.stack(numbers).transpose(0, 3, 1, 2)
            turned = np.where(flip[:, None, None, None], whole[..., ::-1], whole) if flip.any() else whole
            return turned, everyone, ()
        whole = augment.is_whole(kind.crop)
        read: list[NDArray[np.uint8]] = []
        readable: list[int] = []
        broken: list[UnreadableFileError] = []
        for row, index in enumerate(numbers):
            try:
                read.append(self._middle(int(index), flip[row]) if whole else pictures.read(int(index)))
                readable.append(row)
            except UnreadableFileError as error:
                broken.append(error)
        rows = np.array(readable, dtype=np.int64)
        if not read:
            return np.zeros((0, self.dataset.channels, *self.size), np.uint8), rows, tuple(broken)
        if whole:
            return np.stack(read), rows, tuple(broken)
        sizes = np.array([picture.shape[:2] for picture in read])
        noise = self._noise(epoch, numbers[rows], 3, 4 * augment.TRIES)
        boxes = augment.random_boxes(noise, sizes, kind.crop, kind.ratio)
        return augment.crops(read, boxes, self.size, flip[rows]), rows, tuple(broken)

    def _middle(self, index: int, flip: np.bool_) -> NDArray[np.uint8]:
        """Return the centre crop of a picture, uint8 (C, *size), mirrored with `flip`."""
        middle = self.dataset.pictures.center_crop(index, self.crop)
        return middle[..., ::-1] if flip else middle


class MaskedReader(TorchDataset[Any]):
    """A data set that adds masks to the batches of another reader.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> reader = Reader(open_dataset("demo"), CenterCrop((8, 8)), None, seed=0, whole=1)
        >>> masked = MaskedReader(reader, lambda batch: torch.ones(len(batch.samples), 4))
        >>> masked.__getitems__([(0, 0, 5, 0)]).mask
        tensor([[1., 1., 1., 1.]])
    """

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
    classes: NDArray[np.int64] | None = None,
) -> Iterator[Batch]:
    """Return an iterator over the augmented training batches of the steps `start` … `steps` − 1.

    `size` is the (height, width) of the model's input, or a centre crop; for recordings its width is the
    number of frames. `seed` defines the order and all random numbers. `batch` is the number of samples in a
    step; an incomplete last batch of an epoch is skipped. `workers` is the number of worker processes, 0 for
    threads of this process. `share` is the part of each step that this process reads. With `pinned`, batches
    are in pinned memory for a GPU. `masks` draws the mask of each batch when the batch is read. `classes` is
    the class of each file, (n,); with it, each class is drawn equally often.

    Unreadable files are listed in `Batch.unreadable`, so a batch can be smaller or empty. Raises DataError if
    10 batches in a row are empty.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> dataset = open_dataset("demo")
        >>> batches = training_batches(dataset, (8, 8), Augmentation(), seed=0, batch=4, steps=3, start=1)
        >>> [(batch.step, len(batch.samples)) for batch in batches]
        [(1, 4), (2, 4)]
    """
    sounds, whole, crop = dataset.sounds, min(batch, len(dataset)), CenterCrop.of(size)
    reader = (
        Reader(dataset, crop, augmentation, seed, whole)
        if sounds is None
        else Crops(dataset, sounds.spec.samples(crop.size[1]), augmentation, seed, whole)
    )
    reader = reader if masks is None else MaskedReader(reader, masks)
    empty = 0
    order = TrainingSampler(len(dataset), seed, batch, steps, start, share, classes)
    for found in read_batches(reader, order, workers, pinned=pinned):
        empty = 0 if len(found.samples) else empty + 1
        if empty >= HOPELESS:
            raise DataError(
                dataset.name,
                got=f"{empty} batches in a row without a readable file ({found.unreadable[0]})",
                expected="readable files",
                do="check the files",
            )
        yield found


def evaluation_batches(
    dataset: Dataset, size: tuple[int, int] | CenterCrop, *, batch: int, workers: int = 0
) -> Iterator[Batch]:
    """Return an iterator over the evaluation batches: the centre crop of each picture once, in order.

    The last batch can be smaller than `batch`. Recordings are cut into windows of as many frames as `size` is
    wide. `workers` is the number of worker processes, 0 for threads of this process.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> dataset = open_dataset("demo").take(np.arange(5))
        >>> [batch.samples.tolist() for batch in evaluation_batches(dataset, (8, 8), batch=2)]
        [[0, 1], [2, 3], [4]]
    """
    sounds, crop = dataset.sounds, CenterCrop.of(size)
    if sounds is not None:
        windows = Windows(dataset, sounds.spec.samples(crop.size[1]))
        return read_batches(windows, SequentialSampler(len(windows), batch), workers)
    return read_batches(
        Reader(dataset, crop, None, 0, len(dataset)), SequentialSampler(len(dataset), batch), workers
    )
