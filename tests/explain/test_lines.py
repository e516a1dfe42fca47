import numpy as np
import pytest
from scipy.stats import spearmanr

from kakera.explain.lines import LineSimilarity, patch_lines, picture_lines
from tests.explain.views import spec
from tests.model.models import encoder


def test_raw_lines_on_different_rows_are_exactly_orthogonal() -> None:
    """Lecture L3: x_iᵀx_j = 0 for all i ≠ j, and P where i = j (here 5 pixels in each of 3 channels)."""
    found = patch_lines(encoder(size=(16, 10), patch=(16, 5)), spec(size=(16, 10)))
    assert np.array_equal(found.raw, 15 * np.eye(16))
    whole = picture_lines(encoder(), spec())
    assert np.array_equal(whole.raw, 45 * np.eye(8))


def test_each_picture_is_black_with_one_white_line() -> None:
    found = patch_lines(encoder(), spec())
    assert found.pictures.shape == (2, 8, 15, 3)
    for row, picture in enumerate(found.pictures):
        assert (picture[4 + row, 6:9] == 255).all()  # patch (2, 2) of 2 × 3 pixels
        assert picture.astype(int).sum() == 255 * 9
    whole = picture_lines(encoder(), spec()).pictures
    assert all((whole[row, row] == 255).all() and whole[row].sum() == 255 * 45 for row in range(8))


def test_before_any_layer_a_line_adds_its_rows_of_the_embedding() -> None:
    model = encoder()
    weight = model.patches.project.weight.detach().numpy().reshape(12, 2, 9)  # d, rows, the rest
    adds = weight.sum(axis=2).T
    one, other = adds
    wanted = one @ other / np.sqrt((one @ one) * (other @ other))
    found = patch_lines(model, spec()).learned
    assert found.shape == (3, 2, 2)
    assert abs(found[0, 0, 1] - wanted) < 1e-6
    assert np.allclose(np.diagonal(found, axis1=1, axis2=2), 1)


def test_before_any_layer_lines_a_patch_apart_are_the_same_to_a_mean() -> None:
    found = picture_lines(encoder(), spec()).learned[0]
    assert np.allclose(found[0, [2, 4, 6]], 1)
    assert not np.allclose(found[0, 1], 1)


def test_by_distance_and_how_surely_they_fall() -> None:
    rows = np.arange(6)
    falling = 0.5 ** np.abs(rows[:, None] - rows)
    noise = np.random.default_rng(0).normal(size=(6, 6))
    learned = np.stack([falling, 1 - falling, noise + noise.T, np.ones((6, 6))])
    found = LineSimilarity(np.zeros((6, 1, 1, 1), np.uint8), np.eye(6), learned)
    assert found.by_distance()[0] == pytest.approx(0.5**rows)
    assert found.by_distance()[2, 5] == pytest.approx(learned[2, 0, 5])
    above = np.triu_indices(6, 1)
    wanted = [spearmanr(above[1] - above[0], layer[above])[0] for layer in learned[:3]]
    assert found.falls() == pytest.approx([*wanted, 0.0])
    assert found.falls()[0] == pytest.approx(-1)
