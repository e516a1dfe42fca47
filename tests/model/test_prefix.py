"""Encoders without class token or with several, a norm before the layers, attention pooling, activations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.model import positions
from kakera.model.attention import MLP
from kakera.model.attention_pool import AttentionPool
from kakera.model.classifier import Classifier, Pooling, default_pool, pool_tokens
from kakera.model.configs import BlockConfig, DecoderConfig, ViTConfig
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.training.frozen_tokens import tokens_after
from kakera.training.planning.frozen_layers import stored_tokens

CONFIG = ViTConfig(24, 2, 3, (4, 4), DecoderConfig(16, 1, 4))
PICTURES = torch.rand(2, 1, 8, 12, generator=torch.Generator().manual_seed(0))


def encoder(learned: bool = True, **changes: object) -> ViT:
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    model = ViT(config, channels=1, image_size=(8, 12), learned=learned, seed=0).eval()
    for parameter in model.parameters():  # no norm is left at 1, no bias at 0
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    return model


@pytest.mark.parametrize(("class_tokens", "registers"), [(0, 0), (3, 0), (3, 2), (1, 2)])
def test_class_tokens_come_first_with_rows_of_positions_then_registers_then_patches(
    class_tokens: int, registers: int
) -> None:
    model = encoder(class_tokens=class_tokens, registers=registers)
    z = model.embed(PICTURES)
    assert model.positions is not None
    assert z.shape == (2, class_tokens + registers + 6, 24)
    assert model.positions.shape == (class_tokens + 6, 24)
    patches = model.patches(PICTURES) + model.positions[class_tokens:]
    assert torch.equal(z[:, class_tokens + registers :], patches)
    if model.class_token is not None:
        first = model.class_token.view(class_tokens, 24) + model.positions[:class_tokens]
        assert torch.equal(z[1, :class_tokens], first)
    if model.registers is not None:
        assert torch.equal(z[0, class_tokens : class_tokens + registers], model.registers)


def test_a_norm_before_the_layers_is_that_of_all_tokens() -> None:
    model, plain = encoder(norm_pre=True), encoder()
    plain.load_state_dict({name: t for name, t in model.state_dict().items() if "norm_pre" not in name})
    assert model.norm_pre is not None
    assert torch.equal(model.embed(PICTURES), model.norm_pre(plain.embed(PICTURES)))


def test_positions_of_another_grid_keep_the_rows_of_all_class_tokens() -> None:
    old, new = Grid(2, 3), Grid(4, 5)
    table = torch.randn(8 + 6, 24, generator=torch.Generator().manual_seed(0))
    resized = positions.resize(table, old, new)
    single = positions.resize(table[7:], old, new)
    assert torch.equal(resized[:8], table[:8])
    assert torch.equal(resized[8:], single[1:])
    assert torch.equal(positions.resize(table[8:], old, new), single[1:])
    sines = positions.sincos(old, 24, class_tokens=0)
    assert torch.equal(positions.crop_positions(sines, old, Grid(2, 5)), positions.sincos(Grid(2, 5), 24, 0))


def test_what_each_pool_reads() -> None:
    model = encoder(class_tokens=3, registers=1, attention_pool=True)
    tokens = model.tokens(PICTURES)
    normed, patches = model.norm(tokens), tokens[:, 4:]
    assert model.attention_pool is not None
    expected: dict[Pooling, torch.Tensor] = {
        "class": normed[:, :3].mean(dim=1),
        "mean": model.norm(patches.mean(dim=1)),
        "normed mean": normed[:, 4:].mean(dim=1),
        "class and mean": torch.cat([normed[:, :3].mean(dim=1), normed[:, 4:].mean(dim=1)], dim=1),
        "attention": model.attention_pool(normed[:, 4:]),
        "class and attention": torch.cat(
            [normed[:, :3].mean(dim=1), model.attention_pool(normed[:, 4:])], dim=1
        ),
    }
    for pool, values in expected.items():
        torch.testing.assert_close(pool_tokens(model, tokens, pool), values)
        head = Classifier(model, 2, pool, seed=0).eval()
        torch.testing.assert_close(head.features(PICTURES), values)


def test_attention_pooling_is_that_of_pytorch() -> None:
    pool = AttentionPool(24, 3, BlockConfig(ratio=2.0, activation="gelu_tanh")).eval()
    for parameter in pool.parameters():
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    theirs = nn.MultiheadAttention(24, 3, batch_first=True)
    attention = pool.attention
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([attention.q.weight, attention.kv.weight]))
        theirs.in_proj_bias.copy_(torch.cat([attention.q.bias, attention.kv.bias]))
        theirs.out_proj.load_state_dict(attention.out.state_dict())
    tokens = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(1))
    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    z = theirs(pool.probe.expand(2, 1, -1), tokens, tokens, key_padding_mask=padding)[0]
    torch.testing.assert_close(pool(tokens, padding), (z + pool.mlp(pool.norm(z)))[:, 0])


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "quick_gelu"])
def test_each_activation_is_its_formula(activation: str) -> None:
    mlp = MLP(3, ratio=2.0, activation=activation).double()  # type: ignore[arg-type]
    z = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (z[0] @ mlp.up.weight.T + mlp.up.bias).detach().numpy()
    forms = {
        "gelu": lambda x: x / 2 * (1 + np.vectorize(_erf)(x / np.sqrt(2))),
        "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    }
    expected = forms[activation](x) @ mlp.down.weight.detach().numpy().T + mlp.down.bias.detach().numpy()
    np.testing.assert_allclose(mlp(z)[0].detach().numpy(), expected, atol=1e-12)


def _erf(x: float) -> float:
    import math

    return math.erf(x)


@pytest.mark.parametrize("pool", ["class", "class and mean", "halves", "distilled", "class and attention"])
def test_a_head_on_a_class_token_that_is_not_there_is_one_line(pool: Pooling) -> None:
    with pytest.raises(OptionError, match="for a model without class token, expected mean"):
        Classifier(encoder(class_tokens=0, attention_pool=True), 3, pool)


def test_attention_pooling_of_an_encoder_without_it_is_one_line() -> None:
    with pytest.raises(OptionError, match="pool: got attention, expected an encoder with that head"):
        Classifier(encoder(), 3, "attention")


def test_the_default_pool_is_what_an_encoder_has() -> None:
    configs = [
        replace(CONFIG, class_tokens=n, attention_pool=pool)
        for n, pool in ((1, False), (0, False), (0, True))
    ]
    assert [default_pool(config) for config in configs] == ["class", "mean", "attention"]


@pytest.mark.parametrize("class_tokens", [0, 8])
def test_an_autoencoder_needs_one_class_token(class_tokens: int) -> None:
    with pytest.raises(
        OptionError, match=f"an encoder with {class_tokens} class tokens, expected one class token"
    ):
        MAE(encoder(class_tokens=class_tokens))


@pytest.mark.parametrize(
    "pool", ["class", "mean", "normed mean", "attention", "class and mean", "class and attention"]
)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("rotary", [0.0, 100.0])
def test_stored_output_of_frozen_layers_gives_the_same_logits(
    pool: Pooling, layers: int, rotary: float
) -> None:
    model = Classifier(
        encoder(class_tokens=3, registers=1, attention_pool=True, rotary=rotary), 2, pool, seed=0
    )
    nn.init.normal_(model.head.weight)
    stored = tokens_after(model.eval(), PICTURES, layers)
    assert stored.shape[1] == stored_tokens(model.encoder.config, 6, pool, layers)
    torch.testing.assert_close(model(stored, after=layers), model(PICTURES))
