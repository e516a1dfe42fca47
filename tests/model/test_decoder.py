"""The decoder that asks the encoder's tokens, and guessing only some of the hidden patches."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kakera.grid import Grid
from kakera.masking import choose_subset
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.model import lecture
from tests.model.models import DECODER, SHAPE, SIZE, drawn, encoder, far, hidden_in, pictures
from tests.refusals import refused

CROSS = replace(DECODER, cross=True)


def mae(*, cross: bool) -> MAE:
    return drawn(MAE(encoder(), CROSS if cross else DECODER))


def choose_subset_ids(hidden: torch.Tensor, share: float = 0.4) -> torch.Tensor:
    noise = np.random.default_rng(5).random(hidden.shape)
    return torch.from_numpy(choose_subset(noise, hidden.numpy(), share))


def asks(z: lecture.Array, context: lecture.Array, weights: lecture.Weights, heads: int) -> lecture.Array:
    """Attention of z to a context, head by head and token by token."""
    e = z.shape[1] // heads
    q = lecture.linear(z, weights, "q")
    k, v = np.split(lecture.linear(context, weights, "kv"), 2, axis=1)
    rows = []
    for i in range(len(z)):
        heard: list[float] = []
        for head in range(heads):
            own = slice(head * e, (head + 1) * e)
            powers = [math.exp(q[i, own] @ key[own] / math.sqrt(e)) for key in k]
            heard += list(sum(p * value[own] for p, value in zip(powers, v, strict=True)) / sum(powers))
        rows.append(heard)
    return lecture.linear(np.array(rows), weights, "out")


def guesses(model: MAE, picture: lecture.Array, concealed: list[bool]) -> lecture.Array:
    """The prediction of each hidden patch, written out (Fu et al. 2024, Sec. 3)."""
    weights = lecture.weights_of(model)
    inner, outer = lecture.under(weights, "encoder."), lecture.under(weights, "decoder.")
    z = lecture.embed(picture, inner, SHAPE.patch, [i for i, one in enumerate(concealed) if not one])
    z = lecture.layers(z, inner, SHAPE.heads, SHAPE.depth)
    context = lecture.linear(lecture.norm(z, inner, "norm"), outer, "embed")
    places = [i for i, one in enumerate(concealed) if one]
    z = np.array([outer["mask_token"] + outer["positions"][1 + i] for i in places])
    for number in range(CROSS.depth):
        layer = lecture.under(outer, f"layers.{number}.")
        z = z + asks(
            lecture.norm(z, layer, "norm1"), context, lecture.under(layer, "attention."), CROSS.heads
        )
        up = lecture.gelu(lecture.linear(lecture.norm(z, layer, "norm2"), layer, "mlp.up"))
        z = z + lecture.linear(up, layer, "mlp.down")
    return lecture.linear(lecture.norm(z, outer, "norm"), outer, "predict")


each_decoder = pytest.mark.parametrize("cross", [False, True], ids=["joint", "cross"])


def test_the_cross_decoder_is_the_papers() -> None:
    model, batch = mae(cross=True), pictures()
    hidden = hidden_in(model.encoder.grid)
    for picture, concealed, guess in zip(
        batch.numpy(), hidden.tolist(), model.predict(batch, hidden), strict=True
    ):
        assert far(guess, guesses(model, picture, concealed)) < 1e-12


@each_decoder
def test_a_patch_is_guessed_the_same_whichever_others_are_asked_for(*, cross: bool) -> None:
    model, batch = mae(cross=cross), pictures()
    hidden = hidden_in(model.encoder.grid)
    predict_mask = choose_subset_ids(hidden)
    all_of_them = model.predict(batch, hidden)
    few = model.predict(batch, hidden, predict_mask=predict_mask)
    assert 0 < few.shape[1] < all_of_them.shape[1]
    chosen = torch.stack([row[places] for row, places in zip(predict_mask, hidden, strict=True)])
    assert far(few, all_of_them[chosen].reshape(few.shape).detach()) < 1e-12


@each_decoder
def test_the_loss_is_that_of_the_patches_asked_for(*, cross: bool) -> None:
    model, batch = mae(cross=cross), pictures()
    hidden = hidden_in(model.encoder.grid)
    predict_mask = choose_subset_ids(hidden)
    wanted = model.target(batch)[predict_mask].reshape(2, -1, 18)
    loss = (model.predict(batch, hidden, predict_mask=predict_mask) - wanted).square().mean()
    assert abs((model(batch, hidden, predict_mask=predict_mask) - loss).item()) < 1e-12


@each_decoder
def test_guessing_fewer_changes_nothing_for_pictures_that_end_early(*, cross: bool) -> None:
    model, batch = mae(cross=cross), pictures()
    padding_mask = torch.zeros(2, 20, dtype=torch.bool)
    padding_mask[1, 12:] = True
    hidden = hidden_in(model.encoder.grid) & ~padding_mask
    predict_mask = choose_subset_ids(hidden)
    both = model.predict(batch, hidden, padding_mask, predict_mask)
    for number in range(2):
        row = slice(number, number + 1)
        alone = model.predict(batch[row], hidden[row], padding_mask[row], predict_mask[row])
        assert far(both[row, : alone.shape[1]], alone.detach()) < 1e-12


def test_what_stands_in_the_padding_does_not_reach_the_cross_decoder() -> None:
    model, batch = mae(cross=True), pictures()
    padding_mask = torch.zeros(2, 20, dtype=torch.bool)
    padding_mask[:, 15:] = True  # the last row of patches
    hidden = hidden_in(model.encoder.grid) & ~padding_mask
    before = model(batch, hidden, padding_mask)
    batch[:, :, 6:] = 7.0
    assert torch.equal(model(batch, hidden, padding_mask), before)


def test_the_cross_decoder_costs_less_for_each_patch_that_is_not_asked_for() -> None:
    model = MAE(ViT(SHAPE, channels=3, image_size=SIZE), CROSS)
    batch, hidden = pictures().float(), hidden_in(Grid(4, 5), ratio=0.75)
    cost = []
    for predict_mask in (None, choose_subset_ids(hidden, 0.5)):
        with FlopCounterMode(display=False) as counter:
            model.predict(batch, hidden, predict_mask=predict_mask)
        cost.append(counter.get_flop_counts()["Global"])
    width, guessed = DECODER.width, (15, 7)
    # maps to the query, from the heads and in the MLP; attention to 6 tokens; the 18 values of a guess
    each = DECODER.depth * 2 * ((2 + 8) * width + 2 * 6) * width + 2 * width * 18
    assert sum(cost[0].values()) - sum(cost[1].values()) == 2 * (guessed[0] - guessed[1]) * each


def test_every_weight_of_the_cross_decoder_learns() -> None:
    model = mae(cross=True)
    model(pictures(), hidden_in(model.encoder.grid)).backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert still == {"encoder.positions", "decoder.positions"}


def test_among_the_hidden_a_share_of_each_row_is_asked_for() -> None:
    noise = np.random.default_rng(0).random((50, 20))
    hidden = hidden_in(Grid(4, 5), 50, 0.75).numpy()
    predict_mask = choose_subset(noise, hidden, 0.25)
    assert (predict_mask <= hidden).all()
    assert (predict_mask.sum(axis=1) == 3).all()
    assert (predict_mask.any(axis=0)).all()
    np.testing.assert_array_equal(choose_subset(noise, hidden, 1.0), hidden)
    assert (choose_subset(noise, hidden, 0.01).sum(axis=1) == 1).all()


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, math.nan])
def test_a_share_that_asks_for_nothing_or_too_much_is_refused(share: float) -> None:
    with refused("predicted share", got=str(share)):
        choose_subset(np.zeros((1, 4)), np.ones((1, 4), dtype=np.bool_), share)
