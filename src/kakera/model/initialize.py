"""Initial weights: a model draws them once, with one generator and in a fixed order."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import nn

from kakera.model.attention import Block

Seed: TypeAlias = int | torch.Generator | None
"""A number, a generator, or None for PyTorch's global generator."""


def generator_of(seed: Seed) -> torch.Generator | None:
    """Return the generator of a seed, on PyTorch's default device.

    A generator or None is returned unchanged. On the meta device the result is None.

    Example:

        >>> generator_of(7).initial_seed()
        7
    """
    if not isinstance(seed, int):
        return seed
    device = torch.get_default_device()
    return None if device.type == "meta" else torch.Generator(device).manual_seed(seed)


def allocate(module: nn.Module) -> bool:
    """Allocate memory for a module that was created on the meta device; the values are not initialised.

    Returns False if the model should stay on the meta device (`with torch.device("meta")`); then there is
    nothing to initialise.

    Example:

        >>> with torch.device("meta"):
        ...     layer = nn.Linear(2, 3)
        >>> allocate(layer), layer.weight.device.type
        (True, 'cpu')
    """
    device = torch.get_default_device()
    if device.type == "meta":
        return False
    module.to_empty(device=device)
    return True


def reset_layers(module: nn.Module, generator: torch.Generator | None) -> None:
    """Draw Xavier-uniform weights and zero biases for linear maps; reset norms and scales to the identity.

    Example:

        >>> layer = nn.Linear(2, 3)
        >>> reset_layers(layer, generator_of(0))
        >>> layer.bias.tolist()
        [0.0, 0.0, 0.0]
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            if "bias" in dict(
                part.named_parameters()
            ):  # the map to queries, keys and values may have no bias
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.LayerNorm):
            part.reset_parameters()
        elif isinstance(part, Block) and part.scale1 is not None and part.scale2 is not None:
            nn.init.ones_(part.scale1)
            nn.init.ones_(part.scale2)
