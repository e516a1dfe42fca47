"""A tiny encoder in float64 that looks at a picture, for the tests of this room."""

from dataclasses import replace
from typing import Any

import torch

from kakera.explain.activations import Activations, encode
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.vit import ViT
from tests.model.models import SIZE, drawn, encoder, seeded


def spec(channels: int = 3, size: tuple[int, int] = SIZE) -> InputSpec:
    return InputSpec(channels, *size, (0.4,) * channels, (0.3,) * channels)


def photo(channels: int = 3, size: tuple[int, int] = SIZE, *, seed: int = 5) -> torch.Tensor:
    return torch.randint(0, 256, (channels, *size), generator=seeded(seed), dtype=torch.uint8)


def classifier(pool: Any = "mean", classes: int = 4) -> Classifier:
    network = encoder()
    if pool.endswith("attention"):
        config = replace(network.config, attention_pool=True)
        network = ViT(config, channels=network.channels, image_size=network.size)
    return drawn(Classifier(network, classes, pool)).eval()


def view(model: ViT | None = None, *, seed: int = 5) -> Activations:
    return encode(encoder() if model is None else model, spec(), photo(seed=seed))
