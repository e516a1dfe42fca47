"""Gradient checkpointing (Chen et al. 2016): a layer is computed again when its gradient is due.

What it computed is not kept until then: about a third more time for much less memory.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from kakera.model.attention import CrossLayer, Layer


@contextmanager
def recomputed(model: nn.Module, wanted: bool = True) -> Generator[None, None, None]:
    """The layers of a model forget what they compute, within the block. They draw no random numbers."""
    layers = [part for part in model.modules() if isinstance(part, Layer | CrossLayer)] if wanted else []
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
