"""Weights that several processes share out between them (FSDP: Zhao et al. 2023; PyTorch's `fully_shard`)."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from kakera.model.attention import CrossLayer, Layer

M = TypeVar("M", bound=nn.Module)


def shard(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Share the weights out, layer by layer: each process holds its part, and all of one layer at a time."""
    for part in model.modules():
        if isinstance(part, Layer | CrossLayer):
            fully_shard(part, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    return model


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; of one that is shared out every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own(tensor: Tensor) -> Tensor:
    """This process's part."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, shared out as another of the same shape is."""
    if not isinstance(other, DTensor):
        return tensor
    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements, src_data_rank=None)


def shell(model: M) -> M:
    """The model without its numbers, to be filled by `gathered`."""
    return copy.deepcopy(model).to("meta")


def gathered(model: nn.Module, empty: M) -> M:
    """A model whose weights are shared out, as an ordinary one on the CPU; every process must ask."""
    weights = {name: whole(tensor).detach().cpu() for name, tensor in model.state_dict().items()}
    filled = copy.deepcopy(empty)
    filled.load_state_dict(weights, assign=True)
    return filled
