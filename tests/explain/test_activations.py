import numpy as np
import pytest
import torch

from kakera.explain.activations import RAW, encode
from kakera.model.configs import DecoderConfig, ViTConfig
from kakera.model.vit import ViT
from tests.explain.views import photo, spec, view
from tests.model import lecture
from tests.model.models import SHAPE, encoder, seeded
from tests.refusals import refused


def test_attention_under_the_fused_kernel_is_the_formula_to_a_millionth_in_float32() -> None:
    shape = ViTConfig(64, 3, 2, (4, 4), DecoderConfig(32, 1, 1))
    model = ViT(shape, channels=1, image_size=(28, 28))
    model.reset_parameters(seeded(0))
    seen = encode(model, spec(1, (28, 28)), photo(1, (28, 28)))
    assert seen.attention.dtype == np.float32
    for layer in (1, 2, 3):
        weights = lecture.under(lecture.weights_of(model), f"layers.{layer - 1}.")
        z = lecture.norm(seen.tokens_of(layer - 1).astype(np.float64), weights, "norm1")
        wanted = lecture.attention_weights(z, lecture.under(weights, "attention."), shape.heads)
        assert np.abs(seen.attention_of(layer) - wanted).max() < 1e-6


def test_tokens_are_the_lectures_of_every_layer() -> None:
    model, picture = encoder(), photo()
    seen, weights = encode(model, spec(), picture), lecture.weights_of(model)
    z = lecture.embed((picture.double().numpy() / 255 - 0.4) / 0.3, weights, (2, 3), list(range(20)))
    assert np.abs(seen.tokens_of(0) - z).max() < 1e-6  # mean and deviation are stored in float32
    for layer in (1, 2):
        z = lecture.layer(z, lecture.under(weights, f"layers.{layer - 1}."), SHAPE.heads)
        assert np.abs(seen.tokens_of(layer) - z).max() < 1e-6


def test_raw_vectors_are_the_lectures_in_shares_of_the_range() -> None:
    picture = photo()
    seen = encode(encoder(), spec(), picture)
    wanted = lecture.patch_vectors(picture.double().numpy() / 255, (2, 3))
    assert np.abs(seen.patches_of(RAW) - wanted).max() < 1e-12
    assert np.array_equal(seen.picture, picture.permute(1, 2, 0))


def test_minus_one_is_the_last_layer() -> None:
    seen = view()
    assert np.shares_memory(seen.attention_of(-1), seen.attention[1])
    assert np.shares_memory(seen.tokens_of(-1), seen.tokens[2])


def test_nothing_seen_can_be_changed() -> None:
    seen = view()
    for array in (seen.tokens, seen.attention, seen.vectors):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_numbers_out_of_range_are_refused() -> None:
    seen = view()
    for layer in (0, 3, -3, 10**9):
        with refused("layer", got=str(layer), expected="1 to 2"):
            seen.attention_of(layer)
    with refused("layer", got="3", expected="0 to 2"):
        seen.tokens_of(3)
    with refused("head", got="0", expected="1 to 3"):
        seen.head(0)
    with refused("token", got="21", expected="0 to 20"):
        seen.token(21)


def test_a_picture_of_another_size_is_refused() -> None:
    with refused("pictures", got="3 channels of 4 x 4", expected="3 channels of 8 x 15"):
        encode(encoder(), spec(), torch.zeros(3, 4, 4))
