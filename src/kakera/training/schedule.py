"""The learning rate as a function of the step: linear warm-up, then half a cosine.

Warm-up and the batch rule are Goyal et al. 2017, "Accurate, Large Minibatch SGD", sections 2.1 and 2.2;
the cosine is Loshchilov and Hutter 2017, "SGDR", equation 5, with one period.
"""

from __future__ import annotations

import math

from kakera.errors import OptionError


def learning_rate(
    step: int, *, peak: float, warmup_steps: int, total_steps: int, floor: float = 0.0
) -> float:
    """The rate for step 0, 1, …: 0 at step 0, `peak` at `warmup_steps`, `floor` at `total_steps`.

    Without warm-up step 0 has the peak. Past the end the rate stays at `floor`.
    Raises OptionError where the warm-up is longer than the training or a number is negative.
    """
    if not 0 <= warmup_steps <= total_steps or step < 0:
        raise OptionError(
            "schedule",
            got=f"step {step}, {warmup_steps} warm-up steps of {total_steps}",
            expected="a step from 0, and no more warm-up than training",
            do="shorten the warm-up or train longer",
        )
    if step < warmup_steps:
        return peak * step / warmup_steps
    if step >= total_steps:
        # Training that is all warm-up ends on its peak: there is no cosine to come down.
        return peak if warmup_steps == total_steps == step else floor
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return floor + (peak - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def peak_rate(base: float, batch: int) -> float:
    """The rate for an effective batch (pictures a step, over all devices): base · batch / 256."""
    return base * batch / 256
