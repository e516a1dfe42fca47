"""The learning rate schedule: linear warm-up, then half a cosine.

Warm-up and the linear scaling rule come from Goyal et al. 2017, "Accurate, Large Minibatch SGD", sections 2.1
and 2.2. The cosine comes from Loshchilov and Hutter 2017, "SGDR", equation 5, with one period.
"""

from __future__ import annotations

import math

from kakera.errors import OptionError


def learning_rate(
    step: int, *, peak: float, warmup_steps: int, total_steps: int, floor: float = 0.0
) -> float:
    """Return the learning rate of a step: 0 at step 0, `peak` at `warmup_steps`, `floor` at `total_steps`.

    Without warm-up, step 0 has the learning rate `peak`. After `total_steps` it stays at `floor`. Raises
    OptionError if the warm-up is longer than the training or a number is negative.

    Example:

        >>> [learning_rate(i, peak=1.0, warmup_steps=2, total_steps=4) for i in (0, 1, 2, 3, 4)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if not 0 <= warmup_steps <= total_steps or step < 0:
        raise OptionError(
            "schedule",
            got=f"step {step}, {warmup_steps} warm-up steps of {total_steps}",
            expected="a step of at least 0, and at most as many warm-up steps as training steps",
            do="shorten the warm-up or train longer",
        )
    if step < warmup_steps:
        return peak * step / warmup_steps
    if step >= total_steps:
        # A training that consists only of warm-up ends at its peak, because it has no cosine part.
        return peak if warmup_steps == total_steps == step else floor
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return floor + (peak - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def peak_rate(base: float, batch: int) -> float:
    """Return the peak learning rate for a batch: base · batch / 256 (linear scaling rule).

    `batch` is the number of samples per step over all devices.

    Example:

        >>> peak_rate(1.5e-4, 4096)
        0.0024
    """
    return base * batch / 256
