"""The cost of a network: parameters, floating-point operations (FLOPs) and seconds of training."""

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

PICTURES = 2  # pictures of the counted batch; batch norm does not accept one picture


def forward_flops(saved: Pretrained) -> int:
    """Return the FLOPs of one picture in the forward pass of a classifier.

    A multiplication and an addition count as two operations.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.classifier import Classifier
        >>> from kakera.model.configs import vit_config
        >>> from kakera.model.vit import ViT
        >>> model = Classifier(ViT(vit_config("nano"), channels=1, image_size=28), classes=2)
        >>> forward_flops(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))) > 1e6
        True
    """
    model = saved.model.eval()
    pictures = torch.zeros(PICTURES, saved.inputs.channels, *saved.inputs.size)
    with torch.no_grad():
        return _count(model, pictures)


def step_flops(saved: Pretrained[MAE], hide: float) -> int:
    """Return the FLOPs of one picture in a pretraining step, forward and backward, at the mask ratio `hide`.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.configs import vit_config
        >>> from kakera.model.vit import ViT
        >>> config = vit_config("nano")
        >>> model = MAE(ViT(config, channels=1, image_size=28), config.decoder)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> step_flops(saved, 0.9) < step_flops(saved, 0.5)
        True
    """
    model = saved.model
    grid = model.encoder.grid
    noise = seeding.uniform(0, 0, range(PICTURES), "mask", grid.count)
    hidden = torch.from_numpy(MASKINGS["random"](noise, grid, hide))
    return _count(model, torch.zeros(PICTURES, saved.inputs.channels, *saved.inputs.size), hidden)


def size(saved: Pretrained) -> int:
    """Return the number of parameters of a network.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.configs import vit_config
        >>> from kakera.model.vit import ViT
        >>> config = vit_config("nano")
        >>> model = MAE(ViT(config, channels=1, image_size=28), config.decoder)
        >>> size(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))) > 1000
        True
    """
    return count_parameters(saved.model)


def training_seconds(folder: Path) -> float:
    r"""Return the training time of a finished run in seconds, from `metrics.jsonl` in its `folder`.

    The result is the median time of a step times the number of steps, so pauses do not count.

    Example:

        >>> rows = [{"step": 10, "seconds": 1.0}, {"step": 20, "seconds": 2.0}]
        >>> _ = Path("metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
        >>> training_seconds(Path())
        2.0
    """
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
    """Count the operations of one picture: forward, and backward if gradients are on."""
    # The counter does not support the fused attention kernel of the CPU; the plain kernel does the same sums.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        output = model(*inputs)
        if output.requires_grad:
            output.sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() // PICTURES


T = TypeVar("T")

ENOUGH = 2.0  # seconds of measured steps, if the training is long enough
FEW = 3  # steps of the short training, which shows the cost beside the steps


@dataclass(frozen=True)
class Pace:
    """Seconds of a training: `start` for reading, building, evaluating and saving, `step` for each step.

    Example:

        >>> Pace(start=2.0, step=0.5).seconds(10)
        7.0
    """

    start: float
    step: float

    def seconds(self, steps: int) -> float:
        """Return the seconds of a training with `steps` steps."""
        return self.start + steps * self.step


def pace(train: Callable[[Path, int], object], most: int, room: Path, start: float | None = None) -> Pace:
    """Measure the pace of `train(folder, steps)` with short trainings of at most `most` steps.

    The trainings use new folders in `room`. The first training imports and compiles, so it does not count.
    If `start` is known (in seconds, from a training that differs only in its steps), only steps are measured.

    Example:

        >>> pace(lambda folder, steps: None, most=3, room=Path()).seconds(0) < 0.1
        True
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
        enough = int(1.2 * ENOUGH / step) + few if step else 4 * steps
        steps = min(most, max(min(enough, 8 * steps), steps + 1))
    return Pace(start if start is not None else max(long - steps * step, 0.0), step)


def rate(work: Callable[[], T], count: int) -> tuple[float, T]:
    """Measure `work`, which processes `count` items at once. A first call does not count.

    Returns the seconds for each item, and the result of `work`.

    Example:

        >>> seconds, result = rate(lambda: sum(range(10)), count=10)
        >>> result
        45
    """
    work()
    began = time.perf_counter()
    result = work()
    return (time.perf_counter() - began) / count, result
