import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from kakera.errors import DataError
from kakera.training.probes.linear import linear


def test_two_hundred_digits_are_told_apart() -> None:
    pictures, labels = load_digits(return_X_y=True)
    train, test = slice(0, 200), slice(1000, None)
    scores = linear(pictures[train], labels[train], pictures[test], classes=10, seed=0)
    assert (scores.argmax(1) == labels[test]).mean() > 0.8


def test_the_scores_of_one_label_are_probabilities() -> None:
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    scores = linear(features, np.arange(20) % 3, features, classes=3, seed=0)
    np.testing.assert_allclose(scores.sum(1), 1)


def test_another_seed_gives_other_scores() -> None:
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    one, two = (linear(features, np.arange(20) % 2, features, classes=2, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one, two)


def test_the_scale_of_the_features_does_not_matter() -> None:
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    labels = np.arange(20) % 2
    moved = features * np.array([1, 100, 0.01, 8], dtype=np.float32) + 3
    scores = linear(features, labels, features, classes=2, seed=0)
    np.testing.assert_allclose(linear(moved, labels, moved, classes=2, seed=0), scores, atol=1e-3)


def test_pytorchs_own_generator_is_left_alone() -> None:
    features = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    before = torch.get_rng_state()
    linear(features, np.arange(8) % 2, features, classes=2, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_sample_has_no_variance_and_is_refused() -> None:
    with pytest.raises(DataError, match="linear probe"):
        linear(np.ones((1, 2)), np.array([0]), np.ones((1, 2)), classes=2, seed=0)
