"""How weights begin: drawn once, where a model is made, by one generator in one order."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import nn

from kakera.model.attention import Block

Seed: TypeAlias = int | torch.Generator | None
"""A number, the generator that draws, or None for PyTorch's global one."""


def generator_of(seed: Seed) -> torch.Generator | None:
    """Return the generator that a seed means, on the device where models are made."""
    if not isinstance(seed, int):
        return seed
    device = torch.get_default_device()
    return None if device.type == "meta" else torch.Generator(device).manual_seed(seed)


def allocate(module: nn.Module) -> bool:
    """Give memory to a module that was made on the meta device, without drawing numbers for it.

    False where the model is itself to stay there (`with torch.device("meta")`): nothing is to be drawn.
    """
    device = torch.get_default_device()
    if device.type == "meta":
        return False
    module.to_empty(device=device)
    return True


def reset_layers(module: nn.Module, generator: torch.Generator | None) -> None:
    """Draw Xavier-uniform weights and zero biases of linear maps; norms and scales then change nothing."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            if "bias" in dict(part.named_parameters()):  # that to queries, keys and values may have none
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.LayerNorm):
            part.reset_parameters()
        elif isinstance(part, Block) and part.scale1 is not None and part.scale2 is not None:
            nn.init.ones_(part.scale1)
            nn.init.ones_(part.scale2)
