"""A batch that fits into memory: in how many pieces it is taken, and how much memory that needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kakera.errors import OptionError
from kakera.machine import Machine
from kakera.training.planning.costs import PROCESS, StepCost

CPU_PIECE = 1 << 30  # bytes: larger pieces are no faster on a CPU
SPARED = 0.2  # share of the free memory that is left alone
HALVES = 0.6  # of the bytes of float32, in mixed precision
LEAST = 2  # pictures a piece, where a batch is taken in several


@dataclass(frozen=True)
class MemoryFit:
    """`pieces` of a batch for each process, and the `memory` in bytes that a process then needs."""

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
    """The fewest pieces in which a batch of `batch` samples fits; `pieces` above 0 are left as they are.

    `processes` share the machine and the batch. Where the model is not `divisible` (batch normalisation)
    the batch itself becomes smaller. `data` are bytes of samples that are kept in memory. Raises
    OptionError where not even the smallest piece fits.
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
    """Bytes as people read them: 0.4 GB, 12 GB, under 0.1 GB."""
    if 0 < count < 0.05e9:
        return "under 0.1 GB"
    return f"{count / 1e9:.1f} GB" if count < 10e9 else f"{count / 1e9:.0f} GB"
