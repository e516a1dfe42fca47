"""What the plans of all trainings share: a line on the data, on the memory, on the machine."""

from __future__ import annotations

from kakera.machine import Machine
from kakera.training.planning.fit import gigabytes
from kakera.training.planning.rules import DataFacts
from kakera.training.prepared import Prepared

BUSY = 0.25  # of the cores taken by other processes: from here on the plan says so


def data_line(facts: DataFacts, *, measured: bool) -> str:
    """How many files of what size to train on, and how many to measure on where that is done."""
    if facts.recordings:
        shown = f"{facts.count:,} recordings, nine of ten up to {facts.seconds:.1f} s"
    else:
        colour = {1: "grey", 3: "colour"}.get(facts.channels, f"{facts.channels} channels")
        shown = f"{facts.count:,} pictures, about {facts.size[1]} x {facts.size[0]} pixels, {colour}"
    held_out = f"; {facts.held_out:,} to measure on" if measured else ""
    return f"{shown}, for training{held_out}"


def memory_line(needed: float, machine: Machine) -> str:
    """Bytes that are needed, of those that are free."""
    where = f" on {machine.gpu}" if machine.gpu else ""
    return f"about {gigabytes(needed)} of {gigabytes(machine.training_memory)} free{where}"


def machine_line(prepared: Prepared, precision: str = "") -> str:
    """Where the network computes, in which precision, and who reads the data."""
    machine, workers = prepared.machine, prepared.workers
    where = machine.gpu or f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    reading = f"{workers} processes read" if workers else "data are read by the training process"
    return f"{where}{f', {precision}' if precision else ''}; {reading}"


def busy_notes(machine: Machine) -> list[str]:
    """A sentence where other processes slow this one down; else none."""
    if machine.busy < BUSY * machine.cores:
        return []
    return [
        f"other processes use {machine.busy:.1f} of {machine.cores} core{'' if machine.cores == 1 else 's'}: "
        "the times are longer than on a quiet machine"
    ]
