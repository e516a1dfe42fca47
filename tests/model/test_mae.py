import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from kakera.grid import Grid
from kakera.model.configs import vit_config
from kakera.model.hog import oriented_gradients
from kakera.model.mae import MAE
from kakera.model.patches import patchify
from kakera.model.positions import sincos
from kakera.model.token_index import MaskIndex
from kakera.model.vit import ViT
from tests.model import lecture
from tests.model.models import (
    DECODER,
    SHAPE,
    SIZE,
    drawn,
    encoder,
    every_input,
    far,
    hidden_in,
    pictures,
    seeded,
)
from tests.refusals import refused

each_target = pytest.mark.parametrize("normalised", [False, True], ids=["plain", "normalised"])


def mae(
    channels: int = 3,
    size: tuple[int, int] = SIZE,
    patch: tuple[int, int] = (2, 3),
    *,
    norm_pix_loss: bool = True,
    hog_target: bool = False,
) -> MAE:
    model = MAE(encoder(channels, size, patch), DECODER, norm_pix_loss=norm_pix_loss, hog_target=hog_target)
    return drawn(model)


def guesses(model: MAE, picture: lecture.Array, concealed: list[bool]) -> lecture.Array:
    """The lecture's prediction of every patch of a picture (L8, MAE Sec. 3)."""
    weights = lecture.weights_of(model)
    inner, outer = lecture.under(weights, "encoder."), lecture.under(weights, "decoder.")
    shown = [i for i, is_hidden in enumerate(concealed) if not is_hidden]
    z = lecture.embed(picture, inner, model.encoder.config.patch, shown)
    z = lecture.layers(z, inner, SHAPE.heads, SHAPE.depth)
    latent = lecture.linear(lecture.norm(z, inner, "norm"), outer, "embed")
    places = [latent[0]]
    for i, is_hidden in enumerate(concealed):
        places.append(outer["mask_token"] if is_hidden else latent[1 + shown.index(i)])
    z = lecture.layers(np.array(places) + outer["positions"], outer, DECODER.heads, DECODER.depth)
    return lecture.linear(lecture.norm(z, outer, "norm"), outer, "predict")[1:]


@each_target
@every_input
def test_the_loss_is_the_lectures(
    normalised: bool, channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    model, batch = mae(channels, size, patch, norm_pix_loss=normalised), pictures(2, channels, size)
    hidden = hidden_in(model.encoder.grid)
    losses = []
    for picture, concealed in zip(batch.numpy(), hidden.tolist(), strict=True):
        numbers = [i for i, is_hidden in enumerate(concealed) if is_hidden]
        vectors = lecture.patch_vectors(picture, patch)
        made = guesses(model, picture, concealed)
        losses.append(lecture.loss(made, vectors, numbers, normalised=normalised))
    assert abs(model(batch, hidden).item() - sum(losses) / len(losses)) < 1e-12


@every_input
def test_the_prediction_is_the_lectures_at_the_hidden_patches_in_their_order(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    model, batch = mae(channels, size, patch), pictures(2, channels, size)
    hidden = hidden_in(model.encoder.grid)
    predicted = model.predict(batch, hidden)
    for picture, concealed, guess in zip(batch.numpy(), hidden.tolist(), predicted, strict=True):
        assert far(guess, guesses(model, picture, concealed)[concealed]) < 1e-12


@pytest.mark.parametrize("ratio", [0.05, 0.95])
def test_one_hidden_patch_and_one_visible_patch_are_enough(ratio: float) -> None:
    model = mae()
    hidden = hidden_in(model.encoder.grid, ratio=ratio)
    assert hidden.sum().item() in (2, 38)
    assert model(pictures(), hidden).isfinite()


def test_the_hidden_pixels_say_nothing_about_their_own_prediction() -> None:
    model, batch = mae(), pictures().requires_grad_()
    hidden = hidden_in(model.encoder.grid)
    model.predict(batch, hidden).square().sum().backward()
    reached = patchify(batch.grad, SHAPE.patch).abs().sum(-1) > 0
    assert torch.equal(reached, ~hidden)


@each_target
def test_the_hidden_pixels_are_what_the_loss_compares_with(normalised: bool) -> None:
    model, batch = mae(norm_pix_loss=normalised), pictures()
    hidden = hidden_in(model.encoder.grid)
    vectors = model.target(batch).detach().requires_grad_()
    model.target = lambda _, index, __: index.gather(
        vectors
    )  # the visible patches enter the encoder, not the comparison
    model(batch, hidden).backward()
    assert torch.equal(vectors.grad.abs().sum(-1) > 0, hidden)


@every_input
def test_a_plain_target_is_the_patch_itself(
    channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    batch = pictures(2, channels, size)
    for picture, wanted in zip(
        batch, mae(channels, size, patch, norm_pix_loss=False).target(batch), strict=True
    ):
        np.testing.assert_array_equal(wanted, lecture.patch_vectors(picture.numpy(), patch))


def test_a_normalised_target_has_mean_zero_and_an_unbiased_variance_of_one() -> None:
    target = mae().target(pictures())
    assert target.mean(-1).abs().max().item() < 1e-12
    assert (target.square().sum(-1) / (18 - 1) - 1).abs().max().item() < 1e-4  # 2 × 3 pixels of 3 channels


def test_a_normalised_target_takes_no_account_of_brightness_and_contrast() -> None:
    model, batch = mae(), pictures()
    assert far(model.target(3 * batch + 5), model.target(batch)) < 1e-4


def test_a_flat_patch_has_a_normalised_target_of_zero() -> None:
    assert not mae().target(torch.full((1, 3, *SIZE), 0.5, dtype=torch.float64)).any()


@each_target
def test_gradients_are_predicted_after_the_pixels_and_weigh_number_by_number(normalised: bool) -> None:
    model, batch = mae(norm_pix_loss=normalised, hog_target=True), pictures(2)
    hidden = hidden_in(model.encoder.grid)
    pixels = mae(norm_pix_loss=normalised).target(batch)
    edges = oriented_gradients(batch, model.encoder.config.patch)
    wanted = torch.cat([pixels, edges], dim=-1)[hidden].reshape(2, -1, pixels.shape[-1] + edges.shape[-1])
    loss = (model.predict(batch, hidden) - wanted).square().mean()
    assert abs((model(batch, hidden) - loss).item()) < 1e-12


@each_target
def test_a_reconstruction_is_drawn_from_the_pixels_alone(normalised: bool) -> None:
    model, batch = mae(norm_pix_loss=normalised, hog_target=True), pictures(2)
    hidden = hidden_in(model.encoder.grid)
    before = model.reconstruct(batch, hidden)
    with torch.no_grad():
        model.decoder.predict.bias[model.pixels :] += 1.0
    assert torch.equal(before, model.reconstruct(batch, hidden))
    with torch.no_grad():
        model.decoder.predict.bias[: model.pixels] += 1.0
    assert not torch.equal(before, model.reconstruct(batch, hidden))


def test_a_patch_of_one_value_cannot_be_normalised() -> None:
    single = ViT(SHAPE.with_patch((1, 1)), channels=1, image_size=(4, 4))
    with refused("patch", got="single value", do="larger patch, or plain pixels"):
        MAE(single, DECODER, norm_pix_loss=True)


def test_a_patch_of_one_value_can_be_predicted_plainly() -> None:
    single = ViT(SHAPE.with_patch((1, 1)), channels=1, image_size=(4, 4))
    model = drawn(MAE(single, DECODER, norm_pix_loss=False))
    assert model(pictures(2, 1, (4, 4)), hidden_in(Grid(4, 4))).isfinite()


def test_a_mask_that_hides_nothing_is_refused() -> None:
    with refused("mask", got="0 to 0 hidden patches"):
        mae()(pictures(), torch.zeros(2, 20, dtype=torch.bool))


@each_target
@every_input
def test_a_reconstruction_leaves_the_visible_patches_as_they_are(
    normalised: bool, channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    model, batch = mae(channels, size, patch, norm_pix_loss=normalised), pictures(2, channels, size)
    hidden = hidden_in(model.encoder.grid)
    made = model.reconstruct(batch, hidden)
    assert made.shape == batch.shape
    assert torch.equal(patchify(made, patch)[~hidden], patchify(batch, patch)[~hidden])


@each_target
def test_a_reconstruction_holds_the_predictions_with_borrowed_mean_and_deviation(normalised: bool) -> None:
    model, batch = mae(norm_pix_loss=normalised), pictures()
    hidden = hidden_in(model.encoder.grid)
    made = patchify(model.reconstruct(batch, hidden), SHAPE.patch)
    for picture, concealed, vectors in zip(batch.numpy(), hidden.tolist(), made, strict=True):
        true, wanted = lecture.patch_vectors(picture, SHAPE.patch), guesses(model, picture, concealed)
        if normalised:
            deviation = (true.var(axis=1, ddof=1, keepdims=True) + 1e-6) ** 0.5
            wanted = wanted * deviation + true.mean(axis=1, keepdims=True)
        assert far(vectors[concealed], wanted[concealed]) < 1e-12


def test_where_pixels_are_plain_the_loss_is_the_error_of_the_reconstruction() -> None:
    model, batch = mae(norm_pix_loss=False), pictures()
    hidden = hidden_in(model.encoder.grid)
    error = patchify(model.reconstruct(batch, hidden) - batch, SHAPE.patch)[hidden].square().mean()
    assert abs(error.item() - model(batch, hidden).item()) < 1e-12


def test_the_decoder_stands_on_the_papers_positions() -> None:
    model = MAE(ViT(SHAPE, channels=3, image_size=SIZE), DECODER)
    assert torch.equal(model.decoder.positions, sincos(Grid(4, 5), DECODER.width))
    assert model.decoder.positions[1:].abs().sum() > 0


def test_positions_stay_and_all_else_learns() -> None:
    model = mae()
    model(pictures(), hidden_in(model.encoder.grid)).backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert still == {"encoder.positions", "decoder.positions"}


def test_the_start_is_a_function_of_the_generator_alone() -> None:
    one, two = mae(), mae()
    two.decoder.mask_token.data.fill_(5)
    before = torch.get_rng_state()
    one.reset_parameters(seeded(4))
    two.reset_parameters(seeded(4))
    assert torch.equal(torch.get_rng_state(), before)
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_encoder_and_decoder_both_start_anew() -> None:
    model = mae()
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.reset_parameters(seeded(0))
    same = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert same == set()
    assert torch.equal(model.decoder.positions, sincos(Grid(4, 5), DECODER.width).double())


@pytest.mark.parametrize("cross", [False, True])
def test_a_model_is_made_as_it_is_drawn_anew(cross: bool) -> None:
    made = MAE("nano", replace(vit_config("nano").decoder, cross=cross), channels=1, image_size=28, seed=3)
    again = copy.deepcopy(made)
    for parameter in again.parameters():
        parameter.data.fill_(float("nan"))
    again.reset_parameters(seeded(3))
    for (name, a), b in zip(made.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_the_target_of_some_patches_is_that_of_all_picked() -> None:
    model, batch = mae(hog_target=True).float(), pictures().float()
    index = MaskIndex.of(hidden_in(model.encoder.grid)).predicted
    assert torch.equal(model.target(batch, index), index.gather(model.target(batch)))


def test_the_forward_draws_no_random_numbers() -> None:
    model, before = mae().train(), torch.get_rng_state()
    model(pictures(), hidden_in(model.encoder.grid))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_picture_is_predicted_the_same_in_whatever_batch_it_comes() -> None:
    model, batch = mae(), pictures(3)
    hidden = hidden_in(model.encoder.grid, 3)
    assert far(model.predict(batch, hidden)[1:2], model.predict(batch[1:2], hidden[1:2]).detach()) < 1e-12


def test_resizing_takes_both_halves_to_the_new_grid() -> None:
    model = mae()
    model.resize((6, 9))
    batch, hidden = pictures(2, 3, (6, 9)), hidden_in(Grid(3, 3))
    assert model.predict(batch, hidden).shape == (2, int(hidden[0].sum()), 18)
    assert model.decoder.positions.shape == (10, DECODER.width)


def test_resizing_to_the_same_size_changes_no_loss() -> None:
    model, batch = mae(), pictures()
    hidden = hidden_in(model.encoder.grid)
    before = model(batch, hidden)
    model.resize(SIZE)
    assert torch.equal(model(batch, hidden), before)


def test_the_decoders_positions_stay_frozen_when_resized() -> None:
    model = mae()
    model.resize((6, 9))
    assert not model.decoder.positions.requires_grad


def test_it_learns_to_fill_in_what_it_has_seen_often() -> None:
    model = MAE(ViT(SHAPE, channels=1, image_size=(8, 12)), DECODER, norm_pix_loss=False)
    model.reset_parameters(seeded(0))
    stripes = torch.ones(1, 1, 8, 12)
    stripes[..., ::2] = -1
    hidden = hidden_in(Grid(4, 4), 1, 0.75)
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        model(stripes, hidden).backward()
        optimiser.step()
    assert model(stripes, hidden).item() < 0.05  # to guess grey costs 1


def test_what_is_kept_of_the_encoder_gives_the_same_tokens_in_a_new_one() -> None:
    model, batch = mae(), pictures()
    kept = {n.removeprefix("encoder."): w for n, w in model.state_dict().items() if n.startswith("encoder.")}
    alone = ViT(SHAPE, channels=3, image_size=SIZE).double()
    alone.load_state_dict(kept)
    assert torch.equal(alone(batch), model.encoder(batch))


def test_patches_that_overlap_are_refused() -> None:
    overlapping = ViT(SHAPE.with_patch((2, 3), (2, 2)), channels=3, image_size=SIZE)
    with refused("masked autoencoder", got="overlap", do="leave the stride out"):
        MAE(overlapping, DECODER)
