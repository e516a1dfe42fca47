"""The layers of a model, which may compute through something else while it trains."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from kakera.model.attention import CrossLayer, Layer


def layers_of(model: nn.Module) -> list[nn.Module]:
    """All layers of a Transformer, of its decoder too; a CNN has none."""
    return [part for part in model.modules() if isinstance(part, Layer | CrossLayer)]


@contextmanager
def through(parts: Sequence[nn.Module], wrap: Callable[[Any], Any]) -> Generator[None, None, None]:
    """Every part computes `wrap(its forward)` within the block."""
    before = [vars(part).get("forward") for part in parts]
    for part in parts:
        part.forward = wrap(part.forward)
    try:
        yield
    finally:
        for part, forward in zip(parts, before, strict=True):
            del part.forward
            if forward is not None:
                part.forward = forward
