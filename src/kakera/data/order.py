"""Order of the samples: the samples of each step, and the part of them that a process reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera import seeding

Place = tuple[int, int, int, int]  # epoch, step, number, row in the step


@dataclass(frozen=True)
class BatchSlice:
    """The part of each step that a process reads: the pieces `first` … `first + count − 1` of `of` pieces.

    Example:

        >>> BatchSlice(first=0, of=2).rows(6), BatchSlice(first=1, of=2).rows(6)
        ([[0, 5]], [[1, 2, 3, 4]])
    """

    first: int = 0
    count: int = 1
    of: int = 1

    def rows(self, size: int) -> list[list[int]]:
        """Return the positions in a step of `size` samples, as one list for each piece.

        The positions i and `size` − 1 − i are always in the same piece, because these two samples can be
        mixed with each other (mixup) and must be read by the same process.
        """
        pieces: list[list[int]] = []
        half = (size + 1) // 2
        for piece in range(self.first, self.first + self.count):
            front = range(piece * half // self.of, (piece + 1) * half // self.of)
            back = (size - 1 - row for row in reversed(front) if row != size - 1 - row)
            pieces.append([*front, *back])
        return pieces


@dataclass(frozen=True)
class TrainingSampler:
    """A sampler for training: each epoch has its own random order, and each step takes the next samples.

    `count` is the number of samples in the data set, `batch` the number in a step. The sampler yields the
    steps `start` … `steps` − 1, with one list of places (epoch, step, number, row) for each piece of `share`.

    With `classes`, int (count,), each class is drawn equally often (`balanced_order`). Then a file can occur
    several times in an epoch, so the places have the step as their epoch: each step draws new augmentations.

    Example:

        >>> sampler = TrainingSampler(count=4, seed=0, batch=2, steps=3, start=2, share=ALL)
        >>> [(epoch, step, row) for epoch, step, number, row in next(iter(sampler))]
        [(1, 2, 0), (1, 2, 1)]
    """

    count: int
    seed: int
    batch: int
    steps: int
    start: int
    share: BatchSlice
    classes: NDArray[np.int64] | None = None

    def __iter__(self) -> Iterator[list[Place]]:
        size = min(self.batch, self.count)
        per_epoch = self.count // size
        known, order = -1, np.zeros(0, np.int64)
        for step in range(self.start, self.steps):
            epoch, place = divmod(step, per_epoch)
            if epoch != known:
                known, order = epoch, self._order(epoch)
            taken = order[place * size : (place + 1) * size]
            draws = epoch if self.classes is None else step
            for rows in self.share.rows(size):
                yield [(draws, step, int(taken[row]), row) for row in rows]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self.classes is None:
            return seeding.permutation(self.seed, epoch, self.count)
        return balanced_order(self.classes, self.seed, epoch)

    def __len__(self) -> int:
        return (self.steps - self.start) * self.share.count


def balanced_order(classes: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the samples of an epoch, int64 (n,), in which all classes have the same number, within one.

    `classes` (n,) is the class of each sample. Each epoch has another random part of a large class, and it
    repeats the samples of a small class, each equally often within one. The order is random, and a function
    of `seed` and `epoch`. This is the class-balanced sampling of Kang et al. 2020 (Sec. 3), but the numbers
    of the classes are fixed and not drawn.

    Example:

        >>> classes = np.array([0, 0, 0, 0, 0, 0, 0, 1])
        >>> sorted(classes[balanced_order(classes, seed=0, epoch=0)].tolist())
        [0, 0, 0, 0, 1, 1, 1, 1]
    """
    count, shuffled = len(classes), seeding.permutation(seed, epoch, len(classes))
    grouped = shuffled[np.argsort(classes[shuffled], kind="stable")]
    _, starts, sizes = np.unique(classes[grouped], return_index=True, return_counts=True)
    draws = np.full(len(sizes), count // len(sizes))
    more = seeding.permutation(seed, epoch, len(sizes), "balanced-classes")[: count % len(sizes)]
    draws[more] += 1
    drawn = [
        grouped[start + np.arange(number) % size]
        for start, size, number in zip(starts.tolist(), sizes.tolist(), draws.tolist(), strict=True)
    ]
    return np.concatenate(drawn)[seeding.permutation(seed, epoch, count, "balanced")]


@dataclass(frozen=True)
class SequentialSampler:
    """A sampler for evaluation: it yields every sample once, in order.

    Example:

        >>> list(SequentialSampler(count=3, batch=2))
        [[(0, 0, 0, 0), (0, 0, 1, 1)], [(0, 1, 2, 2)]]
    """

    count: int
    batch: int

    def __iter__(self) -> Iterator[list[Place]]:
        for step, first in enumerate(range(0, self.count, self.batch)):
            yield [(0, step, i, i) for i in range(first, min(first + self.batch, self.count))]


ALL = BatchSlice()
