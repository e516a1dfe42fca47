"""Frozen lower layers during a training."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn

from kakera.errors import OptionError
from kakera.training.parameters import depth_of


@contextmanager
def frozen(model: nn.Module, layers: int) -> Generator[None]:
    """Freeze the patch embedding and the lowest `layers` layers of a Vision Transformer within the block.

    With 0 layers nothing is frozen. No gradient is computed for these weights, and no activation of these
    layers is stored. Raises OptionError if the model has no such layers.

    Example:

        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> with frozen(model, 2):
        ...     sum(each.requires_grad for each in model.encoder.layers.parameters())
        12
    """
    if not layers:
        yield
        return
    encoder = getattr(model, "encoder", None)
    depth = len(getattr(encoder, "layers", ()))
    if layers > depth:
        got = f"{layers} layers" if depth else "a network without Transformer layers"
        raise OptionError("freeze", got=got, expected=f"at most {depth}", do="freeze fewer layers")
    stopped = [
        parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and depth_of(name, top=depth + 1) <= layers
    ]
    for parameter in stopped:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in stopped:
            parameter.requires_grad_(True)


def mark_trainable(model: nn.Module, like: nn.Module) -> None:
    """Set which parameters of a copy are trainable as in the model `like`; the weights stay.

    A moving average and the best weights are copies that no gradient changes. A ViT whose position embeddings
    are trainable is stored as one with learned positions, so a copy must say so too.

    Example:

        >>> first, second = nn.Linear(1, 1), nn.Linear(1, 1).requires_grad_(False)
        >>> mark_trainable(second, first)
        >>> second.weight.requires_grad
        True
    """
    known = {name: parameter.requires_grad for name, parameter in like.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(known[name])
