"""Exponential moving average (EMA) of the weights (Polyak and Juditsky 1992)."""

from __future__ import annotations

import copy
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from torch import nn

from kakera.training.distributed import local_tensor, shard

M = TypeVar("M", bound=nn.Module)


@runtime_checkable
class WithTeacher(Protocol):
    """A task that learns from the averaged model. See `kakera.training.semi_supervised`."""

    teacher: nn.Module | None


class EMA(Generic[M]):
    """Exponential moving average of the weights of a model: decay · average + (1 − decay) · weights.

    `model` is the averaged model; it is None if `decay` is 0.

    Example:

        >>> model = nn.Linear(1, 1, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.fill_(0.0)
        ...     average = EMA(model, decay=0.75)
        ...     _ = model.weight.fill_(1.0)
        >>> average.update(model)
        >>> average.model.weight.item()
        0.25
    """

    def __init__(self, model: M, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False) if decay else None

    @property
    def state(self) -> dict[str, nn.Module]:
        """The averaged model for a checkpoint, by name; empty without an average."""
        return {} if self.model is None else {"average": self.model}

    def set_teacher(self, task: object) -> None:
        """Set the averaged model as the teacher of a task that learns from one."""
        if isinstance(task, WithTeacher):
            task.teacher = self.model

    def to(self, fabric: Fabric) -> None:
        """Move the average to the device of the model, and shard it if the model is sharded (FSDP)."""
        if self.model is None:
            return
        if isinstance(fabric.strategy, ModelParallelStrategy):
            shard(self.model, fabric.strategy.device_mesh)
        else:
            self.model.to(fabric.device)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Update the average with the weights of `model`; copy integer buffers, such as batch counts."""
        if self.model is None:
            return
        for mean, value in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if value.is_floating_point():
                local_tensor(mean).lerp_(local_tensor(value), 1 - self.decay)
            else:
                mean.copy_(value)
