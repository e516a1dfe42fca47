"""Layers computed again for their gradients: the same gradients, whatever layers the decoder has."""

import dataclasses

import pytest
import torch

from kakera.model.attention import Block, CrossBlock
from kakera.model.mae import MAE
from kakera.training.layer_wrappers import activation_checkpointing
from tests.model.models import DECODER, drawn, encoder, hidden_in, pictures


@pytest.mark.parametrize("cross", [False, True])
def test_every_layer_is_computed_twice_and_the_gradients_stay(*, cross: bool) -> None:
    model = drawn(MAE(encoder(), dataclasses.replace(DECODER, cross=cross)))
    layers = [part for part in model.modules() if isinstance(part, Block | CrossBlock)]
    computed: list[int] = []
    for layer in layers:
        layer.norm1.register_forward_hook(lambda *_: computed.append(1))
    batch, hidden = pictures(), hidden_in(model.encoder.grid)
    found = []
    for again in (False, True):
        computed.clear()
        model.zero_grad()
        with activation_checkpointing(model, again):
            model(batch, hidden).backward()
        assert len(computed) == len(layers) * (2 if again else 1)
        found.append([part.grad.clone() for part in model.parameters() if part.grad is not None])
    for once, twice in zip(*found, strict=True):
        torch.testing.assert_close(twice, once, rtol=0, atol=1e-12)
