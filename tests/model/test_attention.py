import math

import pytest
import torch
from torch.nn import functional

from kakera.model.attention import MLP, SHORT, Attention, Block, attend
from kakera.model.trace import Trace
from tests.model import lecture
from tests.model.models import drawn, far, seeded

Z = torch.randn(2, 5, 12, generator=seeded(3), dtype=torch.float64)
heads = pytest.mark.parametrize("heads", [1, 3, 12])


@heads
def test_attention_is_the_lectures_formula(heads: int) -> None:
    attention = drawn(Attention(12, heads))
    weights = lecture.weights_of(attention)
    for z, pooled in zip(Z, attention(Z), strict=True):
        assert far(pooled, lecture.attention(z.numpy(), weights, heads)) < 1e-12


@heads
def test_a_whole_layer_is_the_lectures_formula(heads: int) -> None:
    layer = drawn(Block(12, heads))
    weights = lecture.weights_of(layer)
    for z, after in zip(Z, layer(Z), strict=True):
        assert far(after, lecture.layer(z.numpy(), weights, heads)) < 1e-12


@heads
@pytest.mark.parametrize("short", [SHORT, 0])
def test_both_ways_pool_with_the_recorded_attention(
    heads: int, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kakera.model.attention.SHORT", short)
    attention, trace = drawn(Attention(12, heads)), Trace(attention=[4])
    out = attention(Z, trace, 4)
    v = functional.linear(Z, attention.qkv.weight[24:], attention.qkv.bias[24:])
    v = v.reshape(2, 5, heads, 12 // heads).transpose(1, 2)
    pooled = (trace.attention[4] @ v).transpose(1, 2).reshape(2, 5, 12)
    assert far(out, attention.out(pooled).detach()) < 1e-12


@pytest.mark.parametrize("asking", [1, 7])
def test_both_ways_give_the_same_with_void_tokens_and_the_same_gradients(
    asking: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v = (torch.randn(3, 2, n, 4, generator=seeded(n), dtype=torch.float64) for n in (asking, 9, 9))
    key_padding_mask = torch.rand(3, 9, generator=seeded(1)) < 0.5
    key_padding_mask[:, 0] = False  # the class token is always there
    found = []
    for short in (SHORT, 0):
        monkeypatch.setattr("kakera.model.attention.SHORT", short)
        given = [t.clone().requires_grad_() for t in (q, k, v)]
        pooled = attend(*given, key_padding_mask)
        found.append([pooled.detach(), *torch.autograd.grad(pooled.square().sum(), given)])
    for plain, fused in zip(*found, strict=True):
        assert far(plain, fused) < 1e-12
    assert (found[0][2].transpose(1, 2)[key_padding_mask] == 0).all()


def test_the_order_of_the_tokens_is_nothing_to_a_layer() -> None:
    layer, order = drawn(Block(12, 3)), torch.tensor([3, 0, 4, 1, 2])
    assert far(layer(Z[:, order]), layer(Z)[:, order].detach()) < 1e-12


def test_pictures_of_a_batch_know_nothing_of_each_other() -> None:
    layer = drawn(Block(12, 3))
    assert far(layer(Z)[:1], layer(Z[:1]).detach()) < 1e-12


def test_the_mlp_is_four_times_wider_inside_and_takes_each_token_on_its_own() -> None:
    mlp = drawn(MLP(3))
    assert mlp.up.out_features == 12
    assert far(mlp(Z[..., :3])[:, 2], mlp(Z[:, 2:3, :3])[:, 0].detach()) < 1e-12


def test_the_mlps_bend_is_the_exact_gelu() -> None:
    mlp = drawn(MLP(1, ratio=1.0))
    for parameter, value in zip(mlp.parameters(), (1.0, 0.0, 1.0, 0.0), strict=True):
        parameter.data.fill_(value)
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    wanted = [value / 2 * math.erfc(-value / math.sqrt(2)) for value in x.tolist()]
    assert far(mlp(x.reshape(1, -1, 1))[0, :, 0], torch.tensor(wanted, dtype=torch.float64)) < 1e-12


def test_a_layer_whose_branches_are_dropped_is_the_identity() -> None:
    assert torch.equal(drawn(Block(12, 3))(Z, torch.zeros(2, 2, dtype=torch.float64)), Z)


def test_a_layer_whose_branches_are_kept_as_they_are_is_unchanged() -> None:
    layer = drawn(Block(12, 3))
    assert torch.equal(layer(Z, torch.ones(2, 2, dtype=torch.float64)), layer(Z))


def test_the_first_factor_scales_the_attention_and_the_second_the_mlp_of_each_sample() -> None:
    layer = drawn(Block(12, 3))
    drop_path = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    after = layer(Z, drop_path)
    assert far(after[0], (Z + 2 * layer.attention(layer.norm1(Z)))[0].detach()) < 1e-12
    assert far(after[1], (Z + 3 * layer.mlp(layer.norm2(Z)))[1].detach()) < 1e-12


def test_a_gated_mlp_multiplies_half_of_its_inside_with_the_silu_of_the_other() -> None:
    mlp = drawn(MLP(12, 2.0, gated=True))
    assert (mlp.up.weight.shape, mlp.down.weight.shape) == ((48, 12), (12, 24))
    inside = Z @ mlp.up.weight.T + mlp.up.bias
    gate, value = inside[..., :24], inside[..., 24:]
    expected = (gate / (1 + torch.exp(-gate)) * value) @ mlp.down.weight.T + mlp.down.bias
    assert far(mlp(Z), expected.detach()) < 1e-12


@pytest.mark.parametrize("gated", [True, False])
@torch.no_grad()
def test_an_mlp_with_an_inner_norm_norms_the_values_before_its_second_map(gated: bool) -> None:
    mlp, z = MLP(8, 3.0, gated=gated, epsilon=1e-5), torch.randn(2, 5, 8)
    assert mlp.norm is not None
    torch.nn.init.normal_(mlp.norm.weight)
    inside = z @ mlp.up.weight.T + mlp.up.bias
    if gated:
        gate, value = inside[..., :24], inside[..., 24:]
        inside = gate * gate.sigmoid() * value
    else:
        inside = 0.5 * inside * (1 + torch.erf(inside / 2**0.5))
    apart = inside - inside.mean(dim=-1, keepdim=True)
    normed = apart / (apart.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * mlp.norm.weight
    torch.testing.assert_close(mlp(z), normed @ mlp.down.weight.T + mlp.down.bias, atol=1e-5, rtol=1e-5)
