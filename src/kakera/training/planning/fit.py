"""Number of pieces (gradient accumulation) in which a batch fits into memory, and the memory it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kakera.errors import OptionError
from kakera.machine import Machine
from kakera.training.planning.costs import PROCESS, StepCost

CPU_PIECE = 1 << 30  # bytes: larger pieces are no faster on a CPU
SPARED = 0.2  # share of the free memory that stays unused
HALVES = 0.6  # bytes in mixed precision, relative to float32
LEAST = 2  # smallest number of pictures in a piece, if a batch is split into several


@dataclass(frozen=True)
class MemoryFit:
    """The `pieces` into which each process splits its batch, and the `memory` in bytes that a process needs.

    See `fit_to_memory`.
    """

    pieces: int
    batch: int
    memory: int


def fit_to_memory(
    cost: StepCost,
    machine: Machine,
    batch: int,
    *,
    processes: int = 1,
    pieces: int = 0,
    divisible: bool = True,
    data: int = 0,
) -> MemoryFit:
    """Return the smallest number of pieces in which a batch of `batch` samples fits into memory.

    `pieces` above 0 stay unchanged. `processes` share the machine and the batch. If the model is not
    `divisible` (batch normalisation), the batch itself becomes smaller. `data` is the number of bytes of
    samples stored in memory. Raises OptionError if even the smallest piece does not fit.

    Example:

        >>> from kakera.machine import Machine
        >>> from kakera.training.planning.costs import StepCost
        >>> cost = StepCost(flops=1e9, bytes=1e8, parameters=10**6, width=64, tokens=65)
        >>> fit_to_memory(cost, Machine(cores=2, memory=8 * 2**30, gflops=160.0), batch=64).pieces
        7
    """
    each = cost.bytes * (HALVES if machine.gpu else 1.0)
    mine = math.ceil(batch / processes)
    fixed = cost.states if machine.gpu else (cost.states + PROCESS) * processes + data
    room = ((1 - SPARED) * machine.training_memory - fixed) / (1 if machine.gpu else processes)
    most = math.floor((room if machine.gpu else min(room, CPU_PIECE)) / each)
    most = max(most, math.floor(min(room, LEAST * each) / each))
    if pieces:
        return MemoryFit(pieces, batch, _memory(cost, each, math.ceil(mine / pieces), machine, data))
    if most < min(LEAST, mine):
        raise _too_little(cost, each, machine, fixed)
    if mine <= most:
        return MemoryFit(1, batch, _memory(cost, each, mine, machine, data))
    if not divisible:
        return MemoryFit(1, most * processes, _memory(cost, each, most, machine, data))
    parts = min(math.ceil(mine / most), mine // LEAST)
    return MemoryFit(parts, batch, _memory(cost, each, math.ceil(mine / parts), machine, data))


def _memory(cost: StepCost, each: float, count: int, machine: Machine, data: int) -> int:
    return int(cost.states + count * each + (0 if machine.gpu else PROCESS + data))


def _too_little(cost: StepCost, each: float, machine: Machine, fixed: float) -> OptionError:
    place = f"of the GPU {machine.gpu}" if machine.gpu else "of this machine"
    return OptionError(
        "memory",
        got=f"{gigabytes(machine.training_memory)} free {place}",
        expected=f"about {gigabytes((fixed + LEAST * each) / (1 - SPARED))} "
        f"for a network of {cost.parameters / 1e6:.1f} million parameters",
        do="choose a smaller --model, a smaller --image-size or a larger --patch",
    )


def gigabytes(count: float) -> str:
    """Return a number of bytes as text in GB.

    Example:

        >>> gigabytes(4e8), gigabytes(1.2e10), gigabytes(1)
        ('0.4 GB', '12 GB', 'under 0.1 GB')
    """
    if 0 < count < 0.05e9:
        return "under 0.1 GB"
    return f"{count / 1e9:.1f} GB" if count < 10e9 else f"{count / 1e9:.0f} GB"
