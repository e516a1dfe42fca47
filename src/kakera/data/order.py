"""Which samples a step takes, and which of them a process reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kakera import seeding

Place = tuple[int, int, int, int]  # epoch, step, number, row in the step


@dataclass(frozen=True)
class BatchSlice:
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
class TrainingSampler:
    """Which samples step s takes: a slice of the order of its epoch, a list for each piece of the share."""

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
    """Every sample once, in order."""

    count: int
    batch: int

    def __iter__(self) -> Iterator[list[Place]]:
        for step, first in enumerate(range(0, self.count, self.batch)):
            yield [(0, step, i, i) for i in range(first, min(first + self.batch, self.count))]


ALL = BatchSlice()
