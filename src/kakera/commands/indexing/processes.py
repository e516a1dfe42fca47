"""Several processes, on one or more machines, that compute the vectors of one index."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kakera.data.dataset import Dataset
from kakera.formats.tokens.keys import Key, keys_and_contents
from kakera.option_fields import AUTO, Auto
from kakera.training.launch import processes
from kakera.training.options import LearningOptions

if TYPE_CHECKING:
    from kakera.training.distributed import Distributed


@dataclass(frozen=True)
class EmbedProcesses:
    """The processes of `kakera embed`; without `dist` there is only this one. See `start_processes`.

    Example:

        >>> alone = EmbedProcesses()
        >>> alone.size, alone.is_main, alone.here
        (1, True, 1)
    """

    dist: Distributed | None = None
    here: int = 1
    """The number of processes on this machine."""

    @property
    def size(self) -> int:
        """The number of processes."""
        return 1 if self.dist is None else self.dist.size

    @property
    def rank(self) -> int:
        """The number of this process."""
        return 0 if self.dist is None else self.dist.rank

    @property
    def is_main(self) -> bool:
        """True for the process that writes the index."""
        return self.rank == 0

    def keys(self, dataset: Dataset) -> tuple[list[Key], list[Key]]:
        """Return the keys of all files, of which each process reads its share; see `keys_and_contents`."""
        if self.dist is None:
            return keys_and_contents(dataset)
        rows = self.dist.own_rows(len(dataset))
        found: list[tuple[Key, Key]] = [(b"", b"")] * len(dataset)
        for numbers, keys, contents in self.dist.all_gather((rows, *keys_and_contents(dataset.take(rows)))):
            for number, key, content in zip(numbers.tolist(), keys, contents, strict=True):
                found[number] = key, content
        return [key for key, _ in found], [content for _, content in found]


def start_processes(
    devices: int | Auto = AUTO, nodes: int | Auto = AUTO, device: str = AUTO
) -> EmbedProcesses:
    """Start and connect the processes that the options, torchrun or SLURM ask for.

    `devices` is the number of processes on each machine, `nodes` the number of machines, as in training.
    Raises RunError if a process is not available.

    Example:

        >>> start_processes().size
        1
    """
    options = LearningOptions(devices=devices, nodes=nodes, device=device)
    here, machines = processes(options, os.environ)
    if here * machines == 1:
        return EmbedProcesses()
    from kakera.training.distributed import Distributed
    from kakera.training.engine import engine

    return EmbedProcesses(Distributed(engine(options)), here)
