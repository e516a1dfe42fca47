"""Layers with the norm after each branch, against PyTorch's own layer, and encoders without a final norm."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.description import check
from kakera.formats.native import describe
from kakera.inputs import InputSpec
from kakera.model.attention import Block
from kakera.model.classifier import Classifier, Pooling, pool_tokens
from kakera.model.configs import BlockConfig, DecoderConfig, Norm, ViTConfig
from kakera.model.decoder import Decoder
from kakera.model.int8 import HAS_INT8, quantised
from kakera.model.mae import MAE
from kakera.model.merging import merged_tokens
from kakera.model.token_index import MaskIndex
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import drawn

POST = BlockConfig(norm="post")
SHAPE = ViTConfig(24, 2, 3, (4, 4), DecoderConfig(16, 1, 4), POST, norm_pre=True, final_norm=False)


def encoder(shape: ViTConfig = SHAPE) -> ViT:
    model = ViT(shape, channels=1, image_size=16)
    drawn(model)
    return model


def torchs(block: Block, *, first: bool) -> nn.TransformerEncoderLayer:
    """PyTorch's layer with the weights of ours."""
    theirs = nn.TransformerEncoderLayer(
        24, 3, 96, 0.0, "gelu", 1e-6, batch_first=True, norm_first=first
    ).eval()
    pairs = {
        "self_attn.in_proj": block.attention.qkv,
        "self_attn.out_proj": block.attention.out,
        "linear1": block.mlp.up,
        "linear2": block.mlp.down,
        "norm1": block.norm1,
        "norm2": block.norm2,
    }
    state = {}
    for name, part in pairs.items():
        gap = "_" if name.endswith("in_proj") else "."
        state |= {f"{name}{gap}weight": part.weight.data, f"{name}{gap}bias": part.bias.data}
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.parametrize("norm", ["pre", "post"])
@torch.no_grad()
def test_a_layer_is_pytorchs_with_the_norm_at_this_place(norm: Norm) -> None:
    block = Block(24, 3, BlockConfig(norm=norm))
    drawn(block.double())
    block.double()
    z = torch.randn(2, 7, 24, dtype=torch.float64)
    expected = torchs(block, first=norm == "pre").double()(z)
    torch.testing.assert_close(block(z), expected, atol=1e-10, rtol=1e-10)
    some = block(z, select=lambda tokens: tokens[:, :3])
    torch.testing.assert_close(some, expected[:, :3], atol=1e-10, rtol=1e-10)


@torch.no_grad()
def test_a_dropped_branch_leaves_the_norms() -> None:
    block, z = Block(24, 3, POST), torch.randn(2, 7, 24)
    drawn(block)
    factors = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    found = block(z, factors)
    torch.testing.assert_close(found[:1], block.norm2(block.norm1(z[:1])))
    torch.testing.assert_close(found[1:], block(z)[1:])


@torch.no_grad()
def test_without_a_final_norm_the_last_tokens_are_the_output() -> None:
    model, pictures = encoder(), torch.rand(2, 1, 16, 16)
    assert torch.equal(model(pictures), model.tokens(pictures))
    assert not any(name.startswith("norm.") for name in model.state_dict())


@pytest.mark.parametrize("pool", ["class", "mean", "normed mean", "class and mean"])
@torch.no_grad()
def test_every_pool_is_of_these_tokens(pool: Pooling) -> None:
    model = encoder()
    tokens = model(torch.rand(2, 1, 16, 16))
    parts = {"class": tokens[:, 0], "mean": tokens[:, 1:].mean(dim=1)}
    expected = torch.cat([parts[name] for name in pool.removeprefix("normed ").split(" and ")], dim=1)
    torch.testing.assert_close(pool_tokens(model, tokens, pool), expected)


@torch.no_grad()
def test_hidden_patches_change_nothing_that_is_seen() -> None:
    model, pictures = encoder(), torch.rand(1, 1, 16, 16)
    hidden = torch.arange(16).unsqueeze(0) > 5
    changed = pictures.clone()
    changed[..., 8:, :] = 9.0
    torch.testing.assert_close(model(pictures, hidden), model(changed, hidden))


@torch.inference_mode()
def test_merging_nothing_changes_nothing_and_merging_some_keeps_all_patches() -> None:
    model, pictures = encoder(), torch.rand(2, 1, 16, 16)
    merged, _ = merged_tokens(model, model.embed(pictures), [0, 0])
    torch.testing.assert_close(merged, model.tokens(pictures), atol=1e-5, rtol=1e-5)
    merged, sizes = merged_tokens(model, model.embed(pictures), [4, 4])
    assert (merged.shape[1], sizes.sum(dim=1).tolist()) == (17 - 8, [17.0, 17.0])


@torch.inference_mode()
def test_equal_tokens_merge_without_any_change() -> None:
    model = encoder()
    model.positions.data.zero_()  # type: ignore[union-attr]
    pairs = torch.rand(3, 1, 16, 2, 4, generator=torch.Generator().manual_seed(1))
    pictures = pairs.repeat_interleave(2, dim=3).reshape(3, 1, 16, 16)
    merged, _ = merged_tokens(model, model.embed(pictures), [8, 0], first=1)
    torch.testing.assert_close(merged[:, 0], model.tokens(pictures)[:, 0], atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not HAS_INT8, reason="int8 needs oneDNN")
@torch.inference_mode()
def test_int8_is_close() -> None:
    start, pictures = ViT(SHAPE, channels=1, image_size=16, seed=0), torch.rand(8, 1, 16, 16)
    model = Classifier(start, 3, "class", 1e-6, seed=0).eval()
    eight = quantised(model, lambda: model(pictures))
    found, expected = (each.features(pictures) for each in (eight, model))  # type: ignore[attr-defined]
    assert float((found - expected).norm()) < 0.03 * float(expected.norm())
    assert eight.backbone is not None
    assert eight.backbone.reference.dtype == torch.float32


def test_a_masked_autoencoder_reads_these_tokens_and_its_encoder_learns() -> None:
    model = MAE(encoder(), seed=0)
    hidden = torch.arange(16).expand(2, 16) > 3
    pictures = torch.rand(2, 1, 16, 16)
    loss = model(pictures, hidden)
    loss.backward()
    layer = model.encoder.layers[0]
    assert isinstance(layer, Block)
    grad = layer.norm2.weight.grad
    assert grad is not None
    assert float(grad.abs().sum()) > 0
    index = MaskIndex.of(hidden)
    with torch.no_grad():
        latent = model.encoder.tokens(pictures, index.visible)
        assert torch.equal(model.predict(pictures, hidden), model.decoder(latent, index))


def test_a_decoder_has_the_norm_before_each_branch() -> None:
    with pytest.raises(OptionError, match="decoder's norm: got a norm after each branch, expected pre"):
        DecoderConfig(16, 1, 4, POST)
    assert isinstance(Decoder(encoder(), SHAPE.decoder, outputs=16, seed=0), Decoder)


def test_a_description_names_the_place_of_the_norms_and_an_old_one_has_neither() -> None:
    inputs = InputSpec(1, 16, 16, (0.5,), (0.5,))
    description = describe(Pretrained(encoder(), inputs))
    config = description["config"]
    assert (config["block"]["norm"], config["final_norm"]) == ("post", False)
    names = [str(number) for number in range(20)]
    check(description, names)
    for wrong, said in ({"block": {"norm": "after"}}, "norm"), ({"final_norm": 1}, "final_norm"):
        with pytest.raises(OptionError, match=said):
            check({**description, "config": {**config, **wrong}}, names)
    old = {name: value for name, value in config.items() if name != "final_norm"}
    old["block"] = {name: value for name, value in config["block"].items() if name != "norm"}
    check({**description, "config": old}, names)


def test_the_usual_layers_draw_the_same_weights_and_give_the_same_bits() -> None:
    """The norm before each branch, written out."""
    usual = ViT(
        replace(SHAPE, block=BlockConfig(), norm_pre=False, final_norm=True),
        channels=1,
        image_size=16,
        seed=0,
    )
    with torch.no_grad():
        z = usual.embed(torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(2)))
        tokens = z
        for layer in usual.layers:
            assert isinstance(layer, Block)
            tokens = tokens + layer.attention(layer.norm1(tokens))
            tokens = tokens + layer.mlp(layer.norm2(tokens))
        pictures = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(2))
        np.testing.assert_array_equal(usual.norm(tokens).numpy(), usual(pictures).numpy())
