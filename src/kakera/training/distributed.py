"""Communication between the processes of one run, and weights sharded over them (FSDP)."""

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
    """The processes of a run: `rank` is the number of this process, `size` the number of processes.

    Only the main process, with rank 0, writes files. All processes must call each method at the same point.
    Without `fabric` there is a single process.

    Example:

        >>> dist = Distributed()
        >>> dist.is_main, dist.all_reduce_sum(1.0, 2.0), dist.all_gather("a")
        (True, [1.0, 2.0], ['a'])
    """

    def __init__(self, fabric: Fabric | None = None) -> None:
        self.fabric = fabric
        self.rank = fabric.global_rank if fabric else 0
        self.size = fabric.world_size if fabric else 1

    @property
    def is_main(self) -> bool:
        """True if this is the main process, which writes files."""
        return self.rank == 0

    def all_reduce_sum(self, *numbers: float) -> list[float]:
        """Return the sum of each number over all processes."""
        if self.size == 1 or self.fabric is None:
            return list(numbers)
        device = self.fabric.device
        together = torch.tensor(numbers, dtype=torch.float64, device=device)
        reduced = self.fabric.all_reduce(together, reduce_op="sum")
        assert isinstance(reduced, torch.Tensor)  # the type of the argument
        return reduced.tolist()

    def all_gather(self, value: T) -> list[T]:
        """Return the value of each process, in the order of the ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    def own_rows(self, count: int) -> NDArray[np.int64]:
        """Return the numbers below `count` that belong to this process: every `size`-th one."""
        return np.arange(self.rank, count, self.size)

    def gather_rows(
        self, values: NDArray[Any], numbers: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the rows of all processes and their numbers, sorted by number.

        `values` are the rows of this process, `numbers` their numbers.
        """
        parts = self.all_gather((values, numbers))
        everyone = np.concatenate([own for _, own in parts])
        order = np.argsort(everyone)
        return np.concatenate([rows for rows, _ in parts])[order], everyone[order]

    def on_rank_zero(self, work: Callable[[], T]) -> T:
        """Call `work` in the main process and return its result in all processes.

        If it raises, the main process raises the same error, and the others exit without a message.
        """
        if self.size == 1 or self.fabric is None:
            return work()
        failure: Exception | None = None
        outcome: Any = (False, 1)  # (success, result or exit code)
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
        """Raise an error that occurred in all processes: only in the main one; the others exit silently."""
        if self.is_main:
            raise error
        raise SystemExit(error.exit_code)

    @contextmanager
    def detect_lost_process(self) -> Generator[None, None, None]:
        """Raise RunError if another process ends inside the `with` block."""
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not LOST.search(str(error)):
                raise
            raise RunError(
                f"process {self.rank} of {self.size}",
                got=f"no answer from another process ({str(error).splitlines()[0]})",
                expected="answers from all processes",
                do="run the same command on all machines to resume from the last checkpoint",
            ) from error


def shard(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Shard the weights of a model over the processes, layer by layer (FSDP).

    Each process stores its part of the weights, and all weights of only one layer at a time.
    """
    for part in model.modules():
        if isinstance(part, Block | CrossBlock):
            fully_shard(part, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    return model


def full_tensor(tensor: Tensor) -> Tensor:
    """Return the whole tensor. If it is sharded, all processes must call this.

    Example:

        >>> full_tensor(torch.ones(2))
        tensor([1., 1.])
    """
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local_tensor(tensor: Tensor) -> Tensor:
    """Return the part of a tensor in this process; the whole tensor if it is not sharded.

    Example:

        >>> local_tensor(torch.ones(2))
        tensor([1., 1.])
    """
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def shard_like(tensor: Tensor, other: Tensor) -> Tensor:
    """Return `tensor` sharded like `other`, which has the same shape; unchanged if `other` is not sharded.

    Example:

        >>> shard_like(torch.ones(2), torch.zeros(2))
        tensor([1., 1.])
    """
    if not isinstance(other, DTensor):
        return tensor
    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements, src_data_rank=None)


def empty_copy(model: M) -> M:
    """Return a copy of the model without weights (on the "meta" device), for `gather_model`.

    Example:

        >>> empty_copy(nn.Linear(2, 2)).weight.device
        device(type='meta')
    """
    return copy.deepcopy(model).to("meta")


def gather_model(model: nn.Module, empty: M) -> M:
    """Return a sharded model as an ordinary model on the CPU. All processes must call this.

    `empty` is the result of `empty_copy`.

    Example:

        >>> model = nn.Linear(2, 2)
        >>> torch.equal(gather_model(model, empty_copy(model)).weight, model.weight)
        True
    """
    weights = {name: full_tensor(tensor).detach().cpu() for name, tensor in model.state_dict().items()}
    filled = copy.deepcopy(empty)
    filled.load_state_dict(weights, assign=True)
    return filled
