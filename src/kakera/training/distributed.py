"""The processes that train one run: sums and lists between them, and weights sharded over them (FSDP)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from kakera.errors import KakeraError, RunError
from kakera.model.attention import Block, CrossBlock

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)
LOST = re.compile(r"gloo|nccl|connection|timed? ?out|socket|broken pipe|peer", re.IGNORECASE)


class Distributed:
    """`rank` is this process's number, `size` how many there are; the leader is number 0, and alone writes.

    Every method must be called by all of them at the same point.
    """

    def __init__(self, fabric: Fabric | None = None) -> None:
        self.fabric = fabric
        self.rank = fabric.global_rank if fabric else 0
        self.size = fabric.world_size if fabric else 1

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def all_reduce_sum(self, *numbers: float) -> list[float]:
        """The sum of each number over all processes."""
        if self.size == 1 or self.fabric is None:
            return list(numbers)
        device = self.fabric.device
        together = torch.tensor(numbers, dtype=torch.float64, device=device)
        reduced = self.fabric.all_reduce(together, reduce_op="sum")
        assert isinstance(reduced, torch.Tensor)  # as it was given
        return reduced.tolist()

    def all_gather(self, value: T) -> list[T]:
        """What each process has, in the order of their numbers."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(found, value)
        return found

    def own_rows(self, count: int) -> NDArray[np.int64]:
        """Which of so many things are this process's."""
        return np.arange(self.rank, count, self.size)

    def gather_rows(
        self, values: NDArray[Any], numbers: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The rows that each process has and their numbers: all of them, in the order of the numbers."""
        parts = self.all_gather((values, numbers))
        everyone = np.concatenate([found for _, found in parts])
        order = np.argsort(everyone)
        return np.concatenate([rows for rows, _ in parts])[order], everyone[order]

    def on_rank_zero(self, work: Callable[[], T]) -> T:
        """What the leader's work gives, for all; if it fails it raises, and the others end quietly."""
        if self.size == 1 or self.fabric is None:
            return work()
        failure: Exception | None = None
        outcome: Any = (False, 1)  # done, and what it gave or the exit code
        if self.is_main:
            try:
                outcome = (True, work())
            except Exception as error:
                failure, outcome = error, (False, getattr(error, "exit_code", 1))
        outcome = self.fabric.broadcast(outcome)
        if failure is not None:
            raise failure
        if not outcome[0]:
            raise SystemExit(outcome[1])
        return outcome[1]

    def raise_on_rank_zero(self, error: KakeraError) -> NoReturn:
        """Raise, where all came to the same end: in the leader, while the others end quietly."""
        if self.is_main:
            raise error
        raise SystemExit(error.exit_code)

    @contextmanager
    def detect_lost_process(self) -> Generator[None, None, None]:
        """Raises RunError where another process is gone while they work together."""
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not LOST.search(str(error)):
                raise
            raise RunError(
                f"process {self.rank} of {self.size}",
                got=f"no answer from another ({str(error).splitlines()[0]})",
                expected="all of them",
                do="the same command, on all machines, goes on from the last checkpoint",
            ) from error


def shard(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Share the weights out, layer by layer: each process holds its part, and all of one layer at a time."""
    for part in model.modules():
        if isinstance(part, Block | CrossBlock):
            fully_shard(part, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    return model


def full_tensor(tensor: Tensor) -> Tensor:
    """All of a tensor; of one that is shared out every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local_tensor(tensor: Tensor) -> Tensor:
    """This process's part."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def shard_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, shared out as another of the same shape is."""
    if not isinstance(other, DTensor):
        return tensor
    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements, src_data_rank=None)


def empty_copy(model: M) -> M:
    """The model without its numbers, to be filled by `gathered`."""
    return copy.deepcopy(model).to("meta")


def gather_model(model: nn.Module, empty: M) -> M:
    """A model whose weights are shared out, as an ordinary one on the CPU; every process must ask."""
    weights = {name: full_tensor(tensor).detach().cpu() for name, tensor in model.state_dict().items()}
    filled = copy.deepcopy(empty)
    filled.load_state_dict(weights, assign=True)
    return filled
