import math

import numpy as np

from kakera.explain.activations import RAW, encode
from kakera.explain.similarity import cosine, position_similarity, similarities, similarity_map
from kakera.grid import Grid
from kakera.model.positions import sincos
from kakera.model.vit import ViT
from tests.explain.views import photo, spec, view
from tests.model.models import SHAPE, encoder
from tests.refusals import refused


def test_cosines_by_the_formula() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 3, 7))
    for i, j in np.ndindex(3, 3):
        lengths = math.sqrt(sum(one[i] ** 2)) * math.sqrt(sum(other[j] ** 2))
        assert math.isclose(cosine(one, other)[i, j], sum(one[i] * other[j]) / lengths, rel_tol=1e-12)


def test_a_black_patch_is_like_nothing() -> None:
    assert (cosine(np.zeros((1, 4)), np.ones((2, 4))) == 0).all()


def test_patches_of_one_picture_and_of_two_at_any_layer_and_raw() -> None:
    model = encoder()
    one, other = view(model), view(model, seed=6)
    for layer, a, b in ((1, one.tokens[1, 1:], other.tokens[1, 1:]), (RAW, one.vectors, other.vectors)):
        assert np.allclose(similarities(one, other, layer), cosine(a, b))
        assert np.allclose(np.diag(similarities(one, one, layer)), 1)


def test_a_map_is_the_row_of_its_patch() -> None:
    model = encoder()
    one, other = view(model), view(model, seed=6)
    assert np.array_equal(similarity_map(one, 7, 2).ravel(), similarities(one, one, 2)[6])
    assert np.array_equal(similarity_map(one, 7, RAW, other).ravel(), similarities(one, other, RAW)[6])


def test_the_class_token_is_no_patch() -> None:
    with refused("token", got="0, the class token", expected="a patch"):
        similarity_map(view(), 0)


def test_pictures_seen_by_different_models_are_refused() -> None:
    coarse = encode(encoder(patch=(4, 5)), spec(), photo())
    with refused("pictures", got="18 and 60 numbers", expected="encoded by the same model"):
        similarities(view(), coarse, RAW)


def test_similarity_of_positions_is_the_closed_form_of_sines_and_cosines() -> None:
    model = ViT(SHAPE, channels=3, image_size=(8, 15))
    assert model.positions.shape == sincos(Grid(4, 5), 12).shape
    found = position_similarity(model)
    # sin a sin b + cos a cos b = cos(a − b): per axis the mean of cos(ω · difference), whatever the place.
    frequencies = [10_000 ** (-i / 3) for i in range(3)]
    for row, col, other_row, other_col in np.ndindex(4, 5, 4, 5):
        apart = (row - other_row, col - other_col)
        wanted = sum(math.cos(w * d) for w in frequencies for d in apart) / 6
        assert abs(found[row, col, other_row, other_col] - wanted) < 1e-6
