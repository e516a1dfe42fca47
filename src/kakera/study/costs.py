"""What a network costs: parameters, floating-point operations, seconds of training, measured step by step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kakera import seeding
from kakera.formats.bundle import Pretrained
from kakera.formats.native import count_parameters
from kakera.masking import MASKINGS
from kakera.model.mae import MAE

PICTURES = 2  # to count with; one would do but for batch norm


def forward_flops(saved: Pretrained) -> int:
    """Of one picture through a classifier, two for each product and sum."""
    model = saved.model.eval()
    pictures = torch.zeros(PICTURES, saved.inputs.channels, *saved.inputs.size)
    with torch.no_grad():
        return _count(model, pictures)


def step_flops(saved: Pretrained[MAE], hide: float) -> int:
    """Of one picture in a step of pretraining, forward and backward, with this share hidden."""
    model = saved.model
    grid = model.encoder.grid
    noise = seeding.uniform(0, 0, range(PICTURES), "mask", grid.count)
    hidden = torch.from_numpy(MASKINGS["random"](noise, grid, hide))
    return _count(model, torch.zeros(PICTURES, saved.inputs.channels, *saved.inputs.size), hidden)


def size(saved: Pretrained) -> int:
    """Parameters of a network."""
    return count_parameters(saved.model)


def training_seconds(folder: Path) -> float:
    """Of a finished run, from its metrics: the median epoch times the epochs, whatever interrupted it."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "seconds" in row]
    if not rows:
        return 0.0
    rates = [
        (after["seconds"] - before["seconds"]) / (after["step"] - before["step"])
        for before, after in pairwise(rows)
        if after["seconds"] > before["seconds"] and after["step"] > before["step"]
    ]
    if not rates:
        return rows[-1]["seconds"]
    return median(rates) * rows[-1]["step"]


def _count(model: nn.Module, *inputs: torch.Tensor) -> int:
    """Operations of one picture: forward, and backward where gradients are on."""
    # The fused kernel of the CPU is not known to the counter; the plain one does the same sums.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        found = model(*inputs)
        if found.requires_grad:
            found.sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() // PICTURES


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
