"""Order of the samples: the samples of each step, and the part of them that a process reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

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

    def __iter__(self) -> Iterator[list[Place]]:
        size = min(self.batch, self.count)
        per_epoch = self.count // size
        known, order = -1, np.zeros(0, np.int64)
        for step in range(self.start, self.steps):
            epoch, place = divmod(step, per_epoch)
            if epoch != known:
                known, order = epoch, seeding.permutation(self.seed, epoch, self.count)
            taken = order[place * size : (place + 1) * size]
            for rows in self.share.rows(size):
                yield [(epoch, step, int(taken[row]), row) for row in rows]

    def __len__(self) -> int:
        return (self.steps - self.start) * self.share.count


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
