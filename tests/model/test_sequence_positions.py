"""Positions along the sequence of patches, against PyTorch's convolution, T5's buckets and WavLM's gate."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.t5.modeling_t5 import T5Attention
from transformers.models.wavlm.modeling_wavlm import WavLMAttention

from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.description import check
from kakera.formats.native import describe
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.attention import Attention, Block, attend
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, DecoderConfig, ViTConfig
from kakera.model.merging import merged_tokens
from kakera.model.sequence_positions import (
    PositionConvolution,
    RelativePositions,
    distance_buckets,
    sequence_places,
)
from kakera.model.trace import Trace
from kakera.model.vit import ViT
from kakera.training.frozen_tokens import tokens_after
from tests.formats.foreign.test_transformers import drawn

LAYERS = BlockConfig(epsilon=1e-5, norm="post", residual=1.5, gated_positions=True)
SHAPE = ViTConfig(
    24, 2, 3, (4, 4), DecoderConfig(16, 1, 4), LAYERS, class_tokens=0, norm_pre=True, final_norm=False,
    patch_width=12, convolution=(6, 4), relative=(16, 40),
)  # fmt: skip


def encoder(shape: ViTConfig = SHAPE, size: tuple[int, int] = (8, 20)) -> ViT:
    model = ViT(shape, channels=1, image_size=size)
    drawn(model)
    return model.double()


def columns(tokens: Tensor, rows: int) -> Tensor:
    """Tokens (b, n, d) in the order of columns."""
    return tokens.unflatten(1, (rows, -1)).transpose(1, 2).flatten(1, 2)


@pytest.mark.parametrize("kernel", [5, 6])
@torch.no_grad()
def test_the_convolution_is_pytorchs_along_the_columns(kernel: int) -> None:
    layer, z = PositionConvolution(8, kernel, 2).double(), torch.randn(2, 6, 8, dtype=torch.float64)
    layer.reset_parameters()
    theirs = nn.Conv1d(8, 8, kernel, padding=kernel // 2, groups=2).double()
    theirs.load_state_dict(layer.state_dict())
    expected = functional.gelu(theirs(columns(z, 2).transpose(1, 2))[..., :6]).transpose(1, 2)
    torch.testing.assert_close(columns(layer(z, Grid(2, 3)), 2), expected)
    # Hidden patches and padding count as zeros, and so does the place of what fills up a row.
    keep, padding = torch.tensor([[0, 1, 5], [2, 4, 3]]), torch.tensor([[False] * 3, [False, False, True]])
    some = z.gather(1, keep.unsqueeze(-1).expand(-1, -1, 8))
    alone = z.clone()
    alone[0, [2, 3, 4]], alone[1, [0, 1, 3, 5]] = 0.0, 0.0
    whole = layer(alone, Grid(2, 3)).gather(1, keep.unsqueeze(-1).expand(-1, -1, 8))
    found = layer(some, Grid(2, 3), keep, padding)
    torch.testing.assert_close(found[~padding], whole[~padding])


@pytest.mark.parametrize(("count", "farthest"), [(320, 800), (320, 1280), (32, 128), (8, 16)])
def test_buckets_are_those_of_t5(count: int, farthest: int) -> None:
    distances = torch.arange(-2000, 2001)
    theirs = T5Attention._relative_position_bucket(  # pyright: ignore[reportPrivateUsage]
        distances, bidirectional=True, num_buckets=count, max_distance=farthest
    )
    assert torch.equal(distance_buckets(distances, count, farthest), theirs)


@torch.no_grad()
def test_attention_with_its_gated_bias_is_wavlms() -> None:
    """One row of patches, so its sequence is that of the tokens."""
    theirs = WavLMAttention(24, 3, num_buckets=16, max_distance=40, has_relative_position_bias=True)
    drawn(theirs.eval())
    ours, bias, z = Attention(24, 3, gated=True), RelativePositions(3, 16, 40), torch.randn(2, 30, 24)
    weights = dict(theirs.named_parameters())
    bias.weight.copy_(weights["rel_attn_embed.weight"])
    for name in ("weight", "bias"):
        parts = [weights[f"{part}_proj.{name}"] for part in "qkv"]
        ours.get_parameter(f"qkv.{name}").copy_(torch.cat([*parts]))
        ours.get_parameter(f"out.{name}").copy_(weights[f"out_proj.{name}"])
    assert ours.gate is not None
    # WavLM's gate reads the tokens before the map to queries; here it reads the queries: the same for q = z.
    for part in (theirs.q_proj, ours.qkv):
        part.weight[:24], part.bias[:24] = torch.eye(24), 0.0
    ours.gate.weight.copy_(weights["gru_rel_pos_linear.weight"].unflatten(0, (2, 4)).sum(dim=1))
    ours.gate.bias.copy_(weights["gru_rel_pos_linear.bias"].unflatten(0, (2, 4)).sum(dim=1))
    ours.gate.scale.copy_(weights["gru_rel_pos_const"].flatten())
    expected = theirs(z)[0]
    found = ours(z, relative=bias(Grid(1, 30), 0, z))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_both_ways_to_attend_add_a_bias_to_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = torch.randn(3, 2, 3, 7, 4).unbind()
    bias, padding = torch.randn(1, 3, 7, 7), torch.rand(2, 7) > 0.7
    padding[:, 0] = False
    short = attend(q, k, v, padding, bias)
    monkeypatch.setattr("kakera.model.attention.SHORT", 0)
    torch.testing.assert_close(attend(q, k, v, padding, bias), short)
    scores = (q @ k.transpose(-1, -2) / 2 + bias).masked_fill(padding[:, None, None], -torch.inf)
    torch.testing.assert_close(scores.softmax(-1) @ v, short)


@torch.no_grad()
def test_the_sum_has_the_tokens_times_a_factor() -> None:
    """In the deep norm of Wang et al. 2022, eq. 1: x' = LN(α x + f(x))."""
    block, z = Block(24, 3, replace(LAYERS, gated_positions=False)), torch.randn(2, 7, 24)
    drawn(block)
    middle = block.norm1(1.5 * z + block.attention(z))
    torch.testing.assert_close(block(z), block.norm2(1.5 * middle + block.mlp(middle)))


def test_a_sequence_goes_through_the_columns() -> None:
    places = sequence_places(Grid(3, 4))
    assert columns(places.view(1, 12, 1), 3).flatten().tolist() == list(range(12))


@torch.no_grad()
def test_patches_of_another_width_have_a_norm_and_a_map() -> None:
    model, picture = encoder(), torch.randn(1, 1, 8, 20, dtype=torch.float64)
    part = model.patches
    assert part.norm is not None
    assert part.widen is not None
    vectors = picture.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4).flatten(2, 3)[0]
    expected = part.widen(part.norm(vectors @ part.project.weight.T + part.project.bias))
    torch.testing.assert_close(part(picture), expected)


@torch.no_grad()
def test_hidden_patches_are_as_if_they_were_not_there() -> None:
    """Bits of hidden pixels do not matter, and the trace has the attention of the fast way."""
    model, pictures = encoder(), torch.randn(2, 1, 8, 20, dtype=torch.float64)
    hidden = torch.tensor([[True, False] * 5, [False, True] * 5])
    changed = pictures.clone()
    changed[0, :, :4, :4] = 9.0
    trace = Trace(attention=[1, 2])
    torch.testing.assert_close(model(pictures, hidden), model(changed, hidden))
    torch.testing.assert_close(model(pictures, hidden, trace=trace), model(pictures, hidden))
    assert trace.attention[2].shape == (2, 3, 5, 5)


@torch.no_grad()
def test_other_sizes_need_no_new_weights() -> None:
    model = encoder()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for change in (model.resize, model.crop_positions):
        change((8, 12))
        assert model(torch.zeros(1, 1, 8, 12, dtype=torch.float64)).shape == (1, 6, 24)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.position_embeddings() == {}


@torch.no_grad()
def test_stored_tokens_of_frozen_layers_give_the_same() -> None:
    model = Classifier(encoder(), 2)
    drawn(model)
    model.double()
    pictures = torch.randn(3, 1, 8, 20, dtype=torch.float64)
    for layers in (1, 2):
        stored = tokens_after(model, pictures, layers)
        torch.testing.assert_close(model(stored, after=layers), model(pictures))


def test_merging_is_refused() -> None:
    model = encoder()
    with pytest.raises(OptionError, match="relative positions, which merged tokens do not have"):
        merged_tokens(model, torch.zeros(1, 10, 24, dtype=torch.float64), [1, 1])


def test_a_seed_draws_all_weights() -> None:
    one, two = (ViT(SHAPE, channels=1, image_size=(8, 20), seed=4) for _ in range(2))
    for name, part in one.named_parameters():
        assert torch.equal(part, two.get_parameter(name)), name
        assert part.isfinite().all()
    assert one(torch.randn(1, 1, 8, 20)).std() > 0.5


@pytest.mark.parametrize("part", [(6, 5), (0, 4)])
def test_a_convolution_that_cannot_exist_is_one_line(part: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="convolution"):
        ViT(replace(SHAPE, convolution=part), channels=1, image_size=(8, 20))


@pytest.mark.parametrize("part", [(2, 40), (18, 40), (16, 4)])
def test_relative_positions_that_cannot_exist_are_one_line(part: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="relative positions"):
        ViT(replace(SHAPE, relative=part), channels=1, image_size=(8, 20))


@pytest.mark.parametrize(
    ("name", "value"), [("convolution", [3]), ("relative", "far"), ("patch_width", -1), ("relative", [8, 0])]
)
def test_a_wrong_value_in_a_description_is_one_line(name: str, value: object) -> None:
    saved = Pretrained(ViT(SHAPE, channels=1, image_size=(8, 20)), InputSpec(1, 8, 20, (0.5,), (0.5,)))
    description = describe(saved)
    check(description, saved.model.state_dict())
    description["config"][name] = value
    with pytest.raises(OptionError, match=name):
        check(description, saved.model.state_dict())
