"""Small models on small pictures, with no number left at its default."""

from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kakera import masking
from kakera.grid import Grid
from kakera.model.configs import DecoderConfig, ViTConfig
from kakera.model.vit import ViT

Model = TypeVar("Model", bound=nn.Module)

DECODER = DecoderConfig(width=8, depth=2, heads=2)
SHAPE = ViTConfig(width=12, depth=2, heads=3, patch=(2, 3), decoder=DECODER)
SIZE = (8, 15)  # 4 × 5 patches of 2 × 3

# Grids and patches that are not square, one to five channels: (channels, size, patch).
INPUTS = [(1, (8, 15), (2, 3)), (3, (6, 4), (3, 1)), (5, (4, 12), (4, 2))]
every_input = pytest.mark.parametrize(("channels", "size", "patch"), INPUTS)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(model: Model, seed: int = 0) -> Model:
    """The model in float64 with every parameter drawn anew, positions and norms too."""
    generator = seeded(seed)
    for parameter in model.double().parameters():
        scale = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 1.0
        parameter.data = scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return model


def encoder(channels: int = 3, size: tuple[int, int] = SIZE, patch: tuple[int, int] = (2, 3)) -> ViT:
    return drawn(ViT(SHAPE.with_patch(patch), channels=channels, image_size=size))


def pictures(count: int = 2, channels: int = 3, size: tuple[int, int] = SIZE, *, seed: int = 1) -> Tensor:
    return torch.randn(count, channels, *size, generator=seeded(seed), dtype=torch.float64)


def hidden_in(grid: Grid, count: int = 2, ratio: float = 0.6, *, seed: int = 0) -> Tensor:
    noise = np.random.default_rng(seed).random((count, grid.count))
    return torch.from_numpy(masking.random(noise, grid, ratio))


def far(one: Tensor, other: object) -> float:
    """The largest difference between two arrays of one shape."""
    other = torch.as_tensor(other)
    assert one.shape == other.shape
    return (one.detach() - other).abs().max().item()
