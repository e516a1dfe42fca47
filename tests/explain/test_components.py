import numpy as np
import pytest
from sklearn.decomposition import PCA

from kakera.explain.activations import RAW
from kakera.explain.components import patch_filters, principal, principal_filters, token_colours
from tests.explain.views import view
from tests.model.models import encoder


def test_components_are_those_of_scikit_learn_but_for_the_sign() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 5)) * [5, 4, 3, 2, 1] + 7
    axes, shares = principal(vectors, 3)
    other = PCA(3).fit(vectors)
    assert np.abs(np.abs(axes @ other.components_.T) - np.eye(3)).max() < 1e-10
    assert shares == pytest.approx(other.explained_variance_ratio_)
    assert all(row[np.abs(row).argmax()] > 0 for row in axes)


def test_components_that_do_not_exist_are_zero() -> None:
    axes, shares = principal(np.array([[1.0, 2.0], [3.0, 4.0]]), 3)
    assert np.abs(axes[0]) == pytest.approx([0.5**0.5] * 2)
    assert not axes[1:].any()
    assert shares.tolist() == [1, 0, 0]
    assert not principal(np.ones((4, 3)), 2)[0].any()


def test_colours_are_shares_and_the_same_vector_has_the_same_colour_in_each_picture() -> None:
    model = encoder()
    one, other = view(model), view(model, seed=6)
    found = np.stack(token_colours([one, other, one], 1))
    assert found.shape == (3, 4, 5, 3)
    assert found.min() == 0
    assert found.max() == 1
    assert np.array_equal(found[0], found[2])


def test_colours_order_patches_as_their_first_component_does() -> None:
    seen = view()
    found = token_colours([seen], RAW)[0][..., 0].ravel()
    score = PCA(1).fit_transform(seen.vectors)[:, 0]
    rank = np.corrcoef(np.argsort(np.argsort(score))[2:-2], np.argsort(np.argsort(found))[2:-2])[0, 1]
    assert abs(rank) > 0.95  # but for the ends, which are cut off


def test_filters_are_the_columns_of_the_embedding() -> None:
    model = encoder()
    found = patch_filters(model)
    assert found.shape == (12, 2, 3, 3)
    ones = np.zeros(18)
    ones[(1 * 3 + 2) * 3 + 0] = 1  # row 1, column 2, red
    before = model.patches.project.weight.detach().numpy() @ ones
    assert np.array_equal(found[:, 1, 2, 0], before)
    assert principal_filters(model, 7).shape == (7, 2, 3, 3)
    assert principal_filters(model, 99).shape == (18, 2, 3, 3)
