from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from kakera.model.classifier import Classifier, Pool, pool_tokens
from kakera.model.trace import Trace
from kakera.model.vit import ViT
from tests.model import lecture
from tests.model.models import SHAPE, SIZE, drawn, encoder, every_input, far, pictures, seeded

each_pool = pytest.mark.parametrize("pool", ["class", "mean"])


def classifier(
    pool: Pool = "mean", channels: int = 3, size: tuple[int, int] = SIZE, patch: tuple[int, int] = (2, 3)
) -> Classifier:
    return drawn(Classifier(encoder(channels, size, patch), 4, pool))


@each_pool
@every_input
def test_the_scores_are_the_lectures_tokens_pooled_and_mapped(
    pool: Pool, channels: int, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    model, batch = classifier(pool, channels, size, patch), pictures(2, channels, size)
    weights = lecture.weights_of(model)
    inner, every = lecture.under(weights, "encoder."), list(range(model.encoder.grid.count))
    for picture, scores in zip(batch, model(batch), strict=True):
        z = lecture.embed(picture.numpy(), inner, patch, every)
        z = lecture.layers(z, inner, SHAPE.heads, SHAPE.depth)
        one = z[0] if pool == "class" else sum(z[1:]) / len(every)
        wanted = lecture.linear(lecture.norm(one[None], inner, "norm"), weights, "head")
        assert far(scores, wanted[0]) < 1e-12


def test_the_class_pool_is_the_first_of_the_encoders_outputs() -> None:
    model, batch = classifier("class"), pictures()
    assert far(model.features(batch), model.encoder(batch)[:, 0].detach()) < 1e-12


def test_the_mean_is_normalised_after_it_is_taken() -> None:
    model, batch, trace = classifier("mean"), pictures(), Trace(tokens=[SHAPE.depth])
    features = model.features(batch, trace=trace)
    mean = trace.tokens[SHAPE.depth][:, 1:].mean(1)
    assert far(features, model.encoder.norm(mean).detach()) < 1e-12
    assert far(features, model.encoder(batch)[:, 1:].mean(1).detach()) > 1e-3


def test_the_mean_takes_no_account_of_the_class_token() -> None:
    model, tokens = encoder(), torch.randn(2, 5, 12, generator=seeded(0), dtype=torch.float64)
    other = tokens.clone()
    other[:, 0] = 7
    assert torch.equal(pool_tokens(model, tokens, "mean"), pool_tokens(model, other, "mean"))


def test_the_class_pool_takes_no_account_of_the_patches_after_the_last_layer() -> None:
    model, tokens = encoder(), torch.randn(2, 5, 12, generator=seeded(0), dtype=torch.float64)
    other = tokens.clone()
    other[:, 1:] = 7
    assert torch.equal(pool_tokens(model, tokens, "class"), pool_tokens(model, other, "class"))


@each_pool
def test_there_is_one_score_a_class(pool: Pool) -> None:
    assert classifier(pool)(pictures(3)).shape == (3, 4)


def test_a_new_head_says_almost_nothing() -> None:
    model = Classifier(encoder(), 2000)
    model.reset_parameters(seeded(0))
    assert model.head.weight.std().item() == pytest.approx(2e-5, rel=0.05)
    assert not model.head.bias.any()


def test_a_new_head_leaves_the_encoder_as_it_is() -> None:
    model = classifier()
    before = {name: p.clone() for name, p in model.encoder.named_parameters()}
    model.reset_head(seeded(0))
    assert all(torch.equal(p, before[name]) for name, p in model.encoder.named_parameters())


def test_a_new_classifier_has_a_new_encoder() -> None:
    one, two = classifier(), encoder()
    one.reset_parameters(seeded(5))
    two.reset_parameters(seeded(5))
    for a, b in zip(one.encoder.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


@each_pool
def test_without_its_layers_it_sees_only_what_enters_them(pool: Pool) -> None:
    model, batch = classifier(pool), pictures()
    dropped = torch.zeros(SHAPE.depth, 2, 2, dtype=torch.float64)
    wanted = pool_tokens(model.encoder, model.encoder.embed(batch), pool)
    assert torch.equal(model.features(batch, dropped), wanted)


@each_pool
def test_branches_that_are_kept_as_they_are_change_nothing(pool: Pool) -> None:
    model, batch = classifier(pool), pictures()
    assert torch.equal(model(batch, torch.ones(SHAPE.depth, 2, 2, dtype=torch.float64)), model(batch))


def test_recording_changes_no_score() -> None:
    model, batch, trace = classifier(), pictures(), Trace(attention=[1, 2], tokens=[0, 1, 2])
    assert torch.equal(model(batch, trace=trace), model(batch))
    assert set(trace.attention) == {1, 2}
    assert set(trace.tokens) == {0, 1, 2}


def test_the_class_token_is_not_where_the_mean_learns_from() -> None:
    # Only through attention: with the layers dropped, the class token gets no gradient.
    model, dropped = classifier("mean"), torch.zeros(SHAPE.depth, 2, 2, dtype=torch.float64)
    model(pictures(), dropped).sum().backward()
    assert not model.encoder.class_token.grad.any()


def test_halves_are_the_mean_of_class_and_distillation_token_through_the_heads_norm() -> None:
    shape = replace(SHAPE, registers=1)
    model = drawn(Classifier(ViT(shape, channels=3, image_size=SIZE), 4, "halves", 1e-5))
    batch = pictures()
    tokens = model.encoder(batch)
    mean = (tokens[:, 0] + tokens[:, 1]) / 2
    assert model.head_norm is not None
    weight, bias = model.head_norm.weight, model.head_norm.bias
    normed = functional.layer_norm(mean, (shape.width,), weight, bias, 1e-5)
    assert far(model(batch), (normed @ model.head.weight.T + model.head.bias).detach()) < 1e-12


def test_class_and_mean_stand_side_by_side_after_the_norm_without_registers() -> None:
    model = drawn(
        Classifier(ViT(replace(SHAPE, registers=2), channels=3, image_size=SIZE), 4, "class and mean")
    )
    batch = pictures()
    tokens = model.encoder(batch)
    expected = torch.cat([tokens[:, 0], tokens[:, 3:].mean(dim=1)], dim=1)
    assert far(model.features(batch), expected.detach()) < 1e-12
