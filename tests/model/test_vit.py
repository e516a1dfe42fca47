from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kakera.model.configs import DecoderConfig, ViTConfig
from kakera.model.initialize import reset_layers
from kakera.model.positions import sincos
from kakera.model.token_index import visible_index
from kakera.model.trace import Trace
from kakera.model.vit import ViT
from tests.model import lecture
from tests.model.models import SHAPE, SIZE, drawn, encoder, every_input, far, hidden_in, pictures, seeded
from tests.refusals import refused

SQUARE = ViTConfig(width=16, depth=3, heads=2, patch=(2, 2), decoder=DecoderConfig(8, 1, 1))


def flops(ratio: float, count: int = 3) -> int:
    """Of an encoder of 10 × 10 patches; the plain kernel's products are counted, the fused one's are not."""
    model = ViT(SQUARE, channels=3, image_size=(20, 20))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(count, 3, 20, 20), hidden_in(model.grid, count, ratio))
    return counter.get_total_flops()


@every_input
def test_what_enters_the_first_layer_is_the_lectures(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    model, batch = encoder(channels, size, patch), pictures(2, channels, size)
    weights, every = lecture.weights_of(model), list(range(model.grid.count))
    for picture, z in zip(batch, model.embed(batch), strict=True):
        assert far(z, lecture.embed(picture.numpy(), weights, patch, every)) < 1e-12


@every_input
def test_the_whole_encoder_is_the_lectures(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    model, batch = encoder(channels, size, patch), pictures(2, channels, size)
    weights, every = lecture.weights_of(model), list(range(model.grid.count))
    for picture, y in zip(batch, model(batch), strict=True):
        z = lecture.embed(picture.numpy(), weights, patch, every)
        z = lecture.layers(z, weights, SHAPE.heads, SHAPE.depth)
        assert far(y, lecture.norm(z, weights, "norm")) < 1e-12


@every_input
def test_with_hidden_patches_the_encoder_is_the_lectures_on_the_visible_ones(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    model, batch = encoder(channels, size, patch), pictures(2, channels, size)
    hidden, weights = hidden_in(model.grid), lecture.weights_of(model)
    for picture, concealed, z in zip(
        batch, hidden, model.tokens(batch, visible_index(hidden, None)), strict=True
    ):
        shown = [i for i, is_hidden in enumerate(concealed.tolist()) if not is_hidden]
        wanted = lecture.embed(picture.numpy(), weights, patch, shown)
        assert far(z, lecture.layers(wanted, weights, SHAPE.heads, SHAPE.depth)) < 1e-12


@pytest.mark.parametrize("instead", [9.0, float("nan"), float("inf")])
def test_the_pixels_of_hidden_patches_change_no_latent(instead: float) -> None:
    model, batch = encoder(), pictures()
    hidden = hidden_in(model.grid, ratio=0.75)
    pixels = hidden.reshape(2, 1, 4, 5).repeat_interleave(2, dim=2).repeat_interleave(3, dim=3)
    other = batch.masked_fill(pixels, instead)
    assert torch.equal(model(other, hidden), model(batch, hidden))


def test_the_pixels_of_visible_patches_change_the_latents() -> None:
    model, batch = encoder(), pictures()
    hidden = hidden_in(model.grid, ratio=0.75)
    pixels = hidden.reshape(2, 1, 4, 5).repeat_interleave(2, dim=2).repeat_interleave(3, dim=3)
    assert far(model(batch.masked_fill(~pixels, 9.0), hidden), model(batch, hidden).detach()) > 1e-3


def test_with_three_quarters_hidden_the_work_is_that_of_the_visible_tokens() -> None:
    k, width, vector, depth, count = 25, SQUARE.width, 2 * 2 * 3, SQUARE.depth, 3
    n = k + 1
    # Two operations a product: E, then W_q W_k W_v W_o (4 D²) and the MLP (8 D²), then q·k and a·v.
    layer = 2 * n * 12 * width**2 + 2 * 2 * n**2 * width
    assert flops(0.75, count) == count * (2 * k * vector * width + depth * layer)


def test_the_more_is_hidden_the_less_is_computed() -> None:
    counts = [flops(ratio / 10) for ratio in range(1, 10)]
    assert all(more > less for more, less in pairwise(counts))


def test_hiding_no_patch_is_the_same_as_giving_no_mask() -> None:
    model, batch = encoder(), pictures()
    assert torch.equal(model(batch, torch.zeros(2, 20, dtype=torch.bool)), model(batch))


def test_pictures_that_hide_different_numbers_are_refused() -> None:
    hidden = torch.zeros(2, 20, dtype=torch.bool)
    hidden[1, 3] = True
    with refused("mask", got="19 to 20 visible patches", expected="same number"):
        encoder()(pictures(), hidden)


@pytest.mark.parametrize(("channels", "size"), [(1, SIZE), (3, (15, 8)), (3, (8, 30))])
def test_pictures_of_another_shape_are_refused(channels: int, size: tuple[int, int]) -> None:
    with refused(
        "pictures", got=f"{channels} channels of {size[0]} x {size[1]}", expected="3 channels of 8 x 15"
    ):
        encoder()(pictures(1, channels, size))


def test_layers_whose_branches_are_dropped_leave_the_tokens_as_they_entered() -> None:
    model, batch = encoder(), pictures()
    dropped = torch.zeros(SHAPE.depth, 2, 2, dtype=torch.float64)
    assert torch.equal(model.tokens(batch, drop_path=dropped), model.embed(batch))


def test_branches_that_are_kept_as_they_are_change_nothing() -> None:
    model, batch = encoder(), pictures()
    assert torch.equal(model(batch, drop_path=torch.ones(2, 2, 2, dtype=torch.float64)), model(batch))


def test_each_layer_takes_its_own_factors() -> None:
    model, batch, trace = encoder(), pictures(), Trace(tokens=range(3))
    drop_path = torch.ones(2, 2, 2, dtype=torch.float64)
    drop_path[1] = 0
    model(batch, drop_path=drop_path, trace=trace)
    assert not torch.equal(trace.tokens[1], trace.tokens[0])
    assert torch.equal(trace.tokens[2], trace.tokens[1])


def test_a_new_encoder_stands_on_the_papers_positions() -> None:
    r = ViT(SHAPE, channels=3, image_size=SIZE).positions
    assert not r[0].any()
    assert r[1 + 5 * 2 + 3, 0].item() == pytest.approx(torch.tensor(3.0).sin().item())  # row 2, column 3
    assert r[1 + 5 * 2 + 3, 6].item() == pytest.approx(torch.tensor(2.0).sin().item())


@pytest.mark.parametrize("learned", [False, True])
def test_only_learned_positions_learn(learned: bool) -> None:
    model = ViT(SHAPE, channels=3, image_size=SIZE, learned=learned).double()
    model.reset_parameters(seeded(0))
    model(pictures()).square().sum().backward()
    assert (model.positions.grad is not None) == learned


def test_all_else_learns() -> None:
    model = encoder()
    (model(pictures()) * pictures(2, 21, (12, 1)).squeeze(-1)).sum().backward()
    for name, parameter in model.named_parameters():
        if name != "positions":
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_learned_positions_start_small_and_random() -> None:
    model = ViT(SQUARE, channels=3, image_size=(40, 40), learned=True)
    model.reset_parameters(seeded(0))
    assert model.positions.std().item() == pytest.approx(0.02, rel=0.05)


def test_fixed_positions_stay_as_they_are_at_the_start() -> None:
    model = ViT(SHAPE, channels=3, image_size=SIZE)
    before = model.positions.clone()
    model.reset_parameters(seeded(0))
    assert torch.equal(model.positions, before)


def test_the_class_token_starts_with_a_deviation_of_two_hundredths() -> None:
    model = ViT(ViTConfig(4096, 0, 1, (2, 3), SHAPE.decoder), channels=3, image_size=SIZE)
    model.reset_parameters(seeded(0))
    assert model.class_token.std().item() == pytest.approx(0.02, rel=0.05)


def test_linear_maps_start_uniform_between_xaviers_bounds_without_bias() -> None:
    maps = nn.Sequential(nn.Linear(100, 200), nn.Linear(200, 40))
    reset_layers(maps, seeded(0))
    for part in maps:
        bound = (6 / (part.in_features + part.out_features)) ** 0.5
        assert bound * 0.99 < part.weight.abs().max().item() <= bound
        assert part.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
        assert not part.bias.any()


def test_every_linear_map_inside_is_reached_at_the_start() -> None:
    model = drawn(ViT(SHAPE, channels=3, image_size=SIZE))
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.reset_parameters(seeded(0))
    same = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert same == set()
    assert torch.equal(model.positions, sincos(model.grid, SHAPE.width).double())


def test_the_start_is_a_function_of_the_generator_alone() -> None:
    one, two = (ViT(SHAPE, channels=3, image_size=SIZE, learned=True) for _ in range(2))
    before = torch.get_rng_state()
    one.reset_parameters(seeded(9))
    two.reset_parameters(seeded(9))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_forward_draws_no_random_numbers() -> None:
    model, before = encoder().train(), torch.get_rng_state()
    model(pictures(), hidden_in(model.grid))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_resized_encoder_takes_the_new_size_and_refuses_the_old() -> None:
    model = encoder()
    model.resize((6, 9))
    assert model(pictures(2, 3, (6, 9))).shape == (2, 1 + 9, SHAPE.width)
    with refused("pictures", expected="3 channels of 6 x 9"):
        model(pictures())


def test_resizing_to_the_same_size_changes_no_output() -> None:
    model, batch = encoder(), pictures()
    before = model(batch)
    model.resize(SIZE)
    assert torch.equal(model(batch), before)


@pytest.mark.parametrize("learned", [False, True])
def test_resized_positions_learn_if_they_did_before(learned: bool) -> None:
    model = ViT(SHAPE, channels=3, image_size=SIZE, learned=learned)
    model.resize((6, 9))
    assert model.positions.requires_grad == learned


def test_a_size_that_the_patch_does_not_divide_is_refused_and_leaves_the_encoder_as_it_was() -> None:
    model = encoder()
    with refused("patch", got="2 x 3 for a picture of 8 x 16"):
        model.resize((8, 16))
    assert model(pictures()).shape == (2, 21, SHAPE.width)


def test_without_positions_the_order_of_the_patches_is_nothing_to_the_encoder() -> None:
    model, batch = encoder(), pictures()
    model.positions.data.zero_()
    upside_down = batch.reshape(2, 3, 4, 2, 15).flip(2).reshape(2, 3, *SIZE)  # rows of patches, not of pixels
    before, after = model(batch), model(upside_down)
    assert far(after[:, 0], before[:, 0].detach()) < 1e-12
    turned = before[:, 1:].reshape(2, 4, 5, SHAPE.width).flip(1).reshape(2, 20, SHAPE.width)
    assert far(after[:, 1:], turned.detach()) < 1e-12
