"""How long work takes, from a few real steps of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ENOUGH = 2.0  # seconds of steps, where a training has so many
FEW = 3  # steps, to learn what a training costs beside its steps


@dataclass(frozen=True)
class Pace:
    """Seconds of a training: `start` for reading, building, measuring and saving, `step` for each step."""

    start: float
    step: float

    def seconds(self, steps: int) -> float:
        """Of a training of so many steps."""
        return self.start + steps * self.step


def pace(train: Callable[[Path, int], object], most: int, room: Path, start: float | None = None) -> Pace:
    """Of `train(folder, steps)`, which may take at most `most` steps; folders are made in `room`.

    The first call of a kind, which imports and compiles, is not counted. With `start` known, from a
    training that differs in its steps alone, only these are measured.
    """
    few = min(FEW, most)

    def timed(name: str, steps: int) -> float:
        began = time.perf_counter()
        train(room / name, steps)
        return time.perf_counter() - began

    if start is None:
        timed("first", few)
    short = timed("short", few) if start is None else None
    steps = min(10, most)
    while True:
        long = timed(f"long-{steps}", steps)
        before = start if short is None else short
        assert before is not None
        more = steps - (few if short is not None else 0)
        step = max(long - before, 0.0) / max(more, 1)
        if step * more >= ENOUGH or steps == most:
            break
        wanted = int(1.2 * ENOUGH / step) + few if step else 4 * steps
        steps = min(most, max(min(wanted, 8 * steps), steps + 1))
    return Pace(start if start is not None else max(long - steps * step, 0.0), step)


def rate(work: Callable[[], T], count: int) -> tuple[float, T]:
    """Seconds for each of `count` things that `work` does at once, after a first call; what it gave."""
    work()
    began = time.perf_counter()
    found = work()
    return (time.perf_counter() - began) / count, found
