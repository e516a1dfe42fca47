"""Lines that all plans share: data, memory, machine."""

from __future__ import annotations

from kakera.machine import Machine
from kakera.training.planning.fit import gigabytes
from kakera.training.planning.rules import DataFacts
from kakera.training.prepared import Prepared

BUSY = 0.25  # share of the cores used by other processes from which the plan prints a note


def data_line(facts: DataFacts, *, measured: bool) -> str:
    """Return the number and size of the training files and, if `measured`, the number of evaluation files.

    Example:

        >>> data_line(DataFacts(60_000, size=(28, 28), channels=1, held_out=10_000), measured=True)
        '60,000 pictures, about 28 x 28 pixels, grey, for training; 10,000 for evaluation'
    """
    if facts.recordings:
        shown = f"{facts.count:,} recordings, 90 % up to {facts.seconds:.1f} s"
    else:
        colour = {1: "grey", 3: "colour"}.get(facts.channels, f"{facts.channels} channels")
        shown = f"{facts.count:,} pictures, about {facts.size[1]} x {facts.size[0]} pixels, {colour}"
    held_out = f"; {facts.held_out:,} for evaluation" if measured else ""
    return f"{shown}, for training{held_out}"


def memory_line(needed: float, machine: Machine) -> str:
    """Return the needed and the free memory as text. `needed` is in bytes.

    Example:

        >>> memory_line(4e8, Machine(cores=2, memory=8 * 10**9, gflops=160.0))
        'about 0.4 GB of 8.0 GB free'
    """
    where = f" on {machine.gpu}" if machine.gpu else ""
    return f"about {gigabytes(needed)} of {gigabytes(machine.training_memory)} free{where}"


def machine_line(prepared: Prepared, precision: str = "") -> str:
    """Return device, precision and data loading as text.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> machine = Machine(cores=2, memory=8 * 10**9, gflops=160.0)
        >>> data = Prepared(open_dataset("demo"), side=28, workers=0, facts=DataFacts(400), machine=machine)
        >>> machine_line(data, "32-true")
        '2 cores, 32-true; the training process loads the data'
    """
    machine, workers = prepared.machine, prepared.workers
    where = machine.gpu or f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    reading = f"{workers} data loading processes" if workers else "the training process loads the data"
    return f"{where}{f', {precision}' if precision else ''}; {reading}"


def busy_notes(machine: Machine) -> list[str]:
    """Return a note if other processes slow this one down, else an empty list.

    Example:

        >>> print(*busy_notes(Machine(cores=4, memory=8 * 10**9, gflops=160.0, busy=2.0)))
        other processes use 2.0 of 4 cores: training takes longer than on an idle machine
        >>> busy_notes(Machine(cores=4, memory=8 * 10**9, gflops=160.0))
        []
    """
    if machine.busy < BUSY * machine.cores:
        return []
    return [
        f"other processes use {machine.busy:.1f} of {machine.cores} core{'' if machine.cores == 1 else 's'}: "
        "training takes longer than on an idle machine"
    ]
