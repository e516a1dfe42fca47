"""An exponential moving average of the weights (Polyak and Juditsky 1992): smoother than the last ones."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from torch import nn

from kakera.training.distributed import local_tensor, shard

M = TypeVar("M", bound=nn.Module)


class EMA(Generic[M]):
    """`decay` of the old value and the rest of the new one at every update; nothing at a decay of 0."""

    def __init__(self, model: M, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False) if decay else None

    @property
    def state(self) -> dict[str, nn.Module]:
        """What belongs into a checkpoint."""
        return {} if self.model is None else {"average": self.model}

    def to(self, fabric: Fabric) -> None:
        """Keep the average where the model is, shared out as it is."""
        if self.model is None:
            return
        if isinstance(fabric.strategy, ModelParallelStrategy):
            shard(self.model, fabric.strategy.device_mesh)
        else:
            self.model.to(fabric.device)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """One step towards the weights of `model`; counts of batches are copied."""
        if self.model is None:
            return
        for mean, value in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if value.is_floating_point():
                local_tensor(mean).lerp_(local_tensor(value), 1 - self.decay)
            else:
                mean.copy_(value)
