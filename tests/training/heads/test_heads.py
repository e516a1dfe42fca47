from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from kakera.training.heads.fits import class_means
from kakera.training.heads.linear_head import LinearHead, probabilities, scale_of
from kakera.training.heads.logistic import fit_path
from kakera.training.heads.selection import compare_heads, fold_numbers
from kakera.training.heads.temperature import fit_temperature
from kakera.training.probes.ridge import fit, left_out


def blobs(
    count: int = 120, classes: int = 4, width: int = 6
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    centres = rng.normal(size=(classes, width))
    return centres[labels] + rng.normal(size=(count, width)), labels


@pytest.mark.parametrize("strength", [1e-3, 0.1, 10.0])
def test_logistic_regression_is_that_of_scikit_learn(strength: float) -> None:
    tokens, labels = blobs()
    (head,) = fit_path(tokens, np.eye(4)[labels], [strength], precision=1e-8)
    other = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(tokens, labels)
    assert np.allclose(probabilities(head.logits(tokens)), other.predict_proba(tokens), atol=1e-5)


def test_several_labels_have_a_logistic_regression_each() -> None:
    tokens, labels = blobs()
    marks = np.stack([labels == 0, labels > 1], axis=1)
    (head,) = fit_path(tokens, marks.astype(float), [0.5], multi_label=True, precision=1e-8)
    for column in range(2):
        other = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(tokens, marks[:, column])
        own = probabilities(head.logits(tokens), multi_label=True)[:, column]
        assert np.allclose(own, other.predict_proba(tokens)[:, 1], atol=1e-5)


def test_more_features_than_samples_and_constant_features_are_fitted_too() -> None:
    tokens, labels = blobs(count=12, width=40)
    tokens[:, 3] = 2.0
    (head,) = fit_path(tokens, np.eye(4)[labels], [1.0], precision=1e-8)
    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(tokens, labels)
    assert np.allclose(probabilities(head.logits(tokens)), other.predict_proba(tokens), atol=1e-5)


def test_left_out_predictions_of_ridge_are_those_of_fits_without_the_file() -> None:
    tokens, labels = blobs(count=30)
    targets = np.eye(4)[labels]
    penalty = 0.7
    found = left_out(tokens, targets, penalty)
    for row in range(30):
        kept = np.arange(30) != row
        centre, offset = tokens[kept].mean(axis=0), targets[kept].mean(axis=0)
        seen = tokens[kept] - centre
        weights = np.linalg.solve(seen.T @ seen + penalty * np.eye(6), seen.T @ (targets[kept] - offset))
        assert np.allclose(found[row], (tokens[row] - centre) @ weights + offset)
    assert fit(tokens, targets).penalty > 0


def test_class_means_choose_the_nearest_mean() -> None:
    tokens, labels = blobs()
    expected = NearestCentroid().fit(tokens, labels).predict(tokens)
    assert np.array_equal(class_means(tokens, labels, 4).logits(tokens).argmax(axis=1), expected)


def test_the_temperature_is_the_one_of_the_lowest_log_loss() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 400)
    logits = 4.0 * (np.eye(5)[labels] + rng.normal(size=(400, 5)))
    targets = np.eye(5)[labels] * 400 / 401 + 1 / 401 / 5  # one more sample, of unknown class

    def loss(log_t: float) -> float:
        likely = probabilities(logits / np.exp(log_t))
        return float(-(np.log(likely) * targets).sum(axis=1).mean())

    found: Any = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-8})
    best = np.exp(found.x)
    assert fit_temperature(logits, np.eye(5)[labels]) == pytest.approx(best, rel=1e-4)


def test_logits_that_are_always_right_do_not_get_an_infinite_temperature() -> None:
    scale = 1 / fit_temperature(np.eye(3), np.eye(3))  # right in 3 1/3 of 4, with one of unknown class
    assert np.exp(scale) / (np.exp(scale) + 2) == pytest.approx((3 + 1 / 3) / 4)
    several = 1 / fit_temperature(np.array([[2.0], [-2.0]]), np.array([[1.0], [0.0]]), multi_label=True)
    assert 1 / (1 + np.exp(-2 * several)) == pytest.approx(2.5 / 3)
    assert fit_temperature(np.zeros((0, 3)), np.zeros((0, 3))) == 1.0


def test_a_head_for_scaled_tokens_equals_one_for_raw_tokens() -> None:
    tokens, _ = blobs()
    mean, std = scale_of(tokens)
    head = LinearHead(np.random.default_rng(0).normal(size=(6, 4)), np.arange(4.0))
    assert np.allclose(head.on_raw(mean, std).logits(tokens), head.logits((tokens - mean) / std))


def test_folds_have_equal_shares_of_each_class_and_never_the_only_file_of_one() -> None:
    labels = np.array([0] * 20 + [1] * 10 + [2])
    folds = fold_numbers(labels, seed=3)
    assert folds[-1] == -1
    assert np.bincount(folds[:20]).tolist() == [4] * 5
    assert np.bincount(folds[20:30]).tolist() == [2] * 5


def test_the_head_is_chosen_by_left_out_labels_and_useless_tokens_lose() -> None:
    tokens, labels = blobs()
    noise = np.random.default_rng(5).normal(size=(120, 60))
    best = compare_heads({"class": noise, "mean": tokens}, labels, 4, ["ridge", "prototype", "logistic"])[0]
    assert best.pool == "mean"
    memorised = fit(noise, 2 * np.eye(4)[labels] - 1, np.array([1e-9]))
    assert ((noise @ memorised.weights + memorised.intercept).argmax(axis=1) == labels).mean() > 0.7


@pytest.mark.parametrize("kind", ["ridge", "logistic", "prototype"])
def test_a_class_of_one_label_and_fewer_labels_than_folds_are_fitted(kind: str) -> None:
    tokens, labels = blobs()
    for rows in ([0, 1, 2, 3], [0, 1, 2, 4], [0, 4, 8, 1]):
        found = compare_heads({"mean": tokens[rows]}, labels[rows], 4, [kind])  # type: ignore[list-item]  # a kind
        assert np.isfinite(found[0].head.logits(tokens)).all()
        assert found[0].temperature > 0
