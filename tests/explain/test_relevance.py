from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kakera.explain.relevance import relevance
from kakera.model.classifier import Classifier
from tests.explain.views import classifier, photo, spec
from tests.refusals import refused


def by_hand(model: Classifier, picture: Tensor, target: int) -> np.ndarray:
    """The paper's equations, with attention as plain matrices that the gradient passes through."""
    e, heads = model.encoder, model.encoder.config.heads
    z, attention = e.embed(spec().normalize(picture[None].double())), []
    for layer in e.layers:
        q, k, v = layer.attention.qkv(layer.norm1(z)).chunk(3, dim=-1)
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        a = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1)
        a.retain_grad()
        attention.append(a)
        z = z + layer.attention.out((a @ v).transpose(1, 2).flatten(2))
        z = z + layer.mlp(layer.norm2(z))
    first, patches, probe = e.norm(z[:, 0]), e.norm(z[:, 1:].mean(dim=1)), None
    if model.pool == "class and mean":
        patches = e.norm(z[:, 1:]).mean(dim=1)
    if model.pool.endswith("attention"):
        p, x = e.attention_pool, e.norm(z[:, 1:])
        q, (k, v) = p.attention.q(p.probe)[None, None], p.attention.kv(x).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        probe = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1)
        probe.retain_grad()
        patches = p.attention.out((probe @ v).transpose(1, 2).flatten(2))
        patches = (patches + p.mlp(p.norm(patches)))[:, 0]
    both = torch.cat([first, patches], dim=1)
    read = first if model.pool == "class" else both if " and " in model.pool else patches
    model.head(read)[0, target].backward()
    reach = np.eye(21)

    def useful(a: Tensor) -> np.ndarray:
        assert a.grad is not None
        return (a * a.grad).clamp(min=0)[0].mean(dim=0).detach().numpy()

    for a in attention:
        reach = reach + useful(a) @ reach
    found = np.zeros(20)
    if model.pool.startswith("class"):
        found += (reach - np.eye(21))[0, 1:]
    if model.pool.endswith("mean"):
        found += (reach - np.eye(21))[1:, 1:].mean(axis=0)
    if probe is not None:
        found += (useful(probe) @ reach[1:])[0, 1:]
    return found.reshape(4, 5)


@pytest.mark.parametrize("pool", ["class", "mean", "class and mean", "attention", "class and attention"])
@pytest.mark.parametrize("target", [0, 3])
def test_it_is_the_papers_formula_though_attention_ran_fused(pool: Any, target: int) -> None:
    model = classifier(pool)
    found = relevance(model, spec(), photo(), target)
    wanted = by_hand(model, photo(), target)
    assert found.max() > 0
    assert np.abs(found - wanted).max() < 1e-9 * wanted.max()


def test_classes_differ() -> None:
    model = classifier()
    assert not np.allclose(*(relevance(model, spec(), photo(), target) for target in (0, 1)))


def test_it_works_on_frozen_weights_without_gradients_and_leaves_none_behind() -> None:
    model = classifier().requires_grad_(False)
    with torch.no_grad():
        assert relevance(model, spec(), photo(), 1).max() > 0
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_class_that_does_not_exist_is_refused() -> None:
    for target in (-1, 4):
        with refused("class", got=str(target), expected="0 to 3"):
            relevance(classifier(), spec(), photo(), target)
