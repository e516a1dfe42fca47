"""Gradient checkpointing (Chen et al. 2016): a layer is computed again when its gradient is due.

What it computed is not kept until then: about a third more time for much less memory.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from kakera.training.regions import layers_of, through


def recomputed(model: nn.Module, wanted: bool = True) -> AbstractContextManager[None]:
    """The layers of a model forget what they compute, within the block. They draw no random numbers."""
    if not wanted:
        return nullcontext()
    return through(
        layers_of(model),
        lambda forward: partial(checkpoint, forward, use_reentrant=False, preserve_rng_state=False),
    )
