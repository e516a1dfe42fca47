import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from kakera.training.probes.ridge import fit, ridge

TALL, WIDE = (40, 5), (12, 30)
shapes = pytest.mark.parametrize("shape", [TALL, WIDE], ids=["tall", "wide"])


def problem(shape: tuple[int, int], classes: int = 3) -> tuple[NDArray, NDArray]:
    random = np.random.default_rng(7)
    features = random.normal(size=shape)
    labels = np.arange(shape[0]) % classes
    features[:, :classes] += 1.5 * np.eye(classes)[labels]
    return features, labels


@shapes
def test_the_fit_is_scikit_learns_at_the_same_penalty(shape: tuple[int, int]) -> None:
    features, labels = problem(shape)
    targets = 2 * np.eye(3)[labels] - 1
    ours = fit(features, targets)
    theirs = Ridge(alpha=ours.penalty).fit(features, targets)
    np.testing.assert_allclose(ours.weights.T, theirs.coef_, atol=1e-9)
    np.testing.assert_allclose(ours.intercept, theirs.intercept_, atol=1e-9)


@shapes
def test_the_leave_one_out_error_is_that_of_leaving_each_out(shape: tuple[int, int]) -> None:
    features, labels = problem(shape)
    targets = 2 * np.eye(3)[labels] - 1
    ours = fit(features, targets)
    for i in (12, 24, 28, 36):
        left = []
        for out in range(len(features)):
            rest = np.arange(len(features)) != out
            model = Ridge(alpha=ours.penalties[i]).fit(features[rest], targets[rest])
            left.append(model.predict(features[out : out + 1])[0] - targets[out])
        assert ours.errors[i] == pytest.approx(np.mean(np.square(left)), rel=1e-6)


@shapes
def test_the_penalty_has_the_least_error(shape: tuple[int, int]) -> None:
    features, labels = problem(shape)
    found = fit(features, np.eye(3)[labels])
    assert found.penalty == found.penalties[found.errors.argmin()]
    assert found.penalties[0] < found.penalty <= found.penalties[-1]


@shapes
def test_the_guesses_are_those_of_scikit_learns_classifier(shape: tuple[int, int]) -> None:
    features, labels = problem(shape)
    scaler = StandardScaler().fit(features)
    test = np.random.default_rng(1).normal(size=(50, shape[1]))
    penalty = fit(scaler.transform(features), 2.0 * np.eye(3)[labels] - 1).penalty
    oracle = RidgeClassifier(alpha=penalty).fit(scaler.transform(features), labels)
    scores = ridge(features, labels, test, classes=3, seed=0)
    np.testing.assert_allclose(2 * scores - 1, oracle.decision_function(scaler.transform(test)), atol=1e-8)


def test_the_scores_of_one_label_sum_to_one() -> None:
    features, labels = problem(TALL)
    np.testing.assert_allclose(ridge(features, labels, features, classes=3, seed=0).sum(1), 1)


def test_pure_noise_is_shrunk_to_the_share_of_the_class() -> None:
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(400, 50)), np.repeat([0, 1], [100, 300])
    scores = ridge(features, random.permutation(labels), features, classes=2, seed=0)
    np.testing.assert_allclose(scores[:, 1], 0.75, atol=0.05)


def test_features_that_never_vary_give_the_shares_of_the_classes() -> None:
    scores = ridge(np.ones((4, 3)), np.array([0, 1, 1, 1]), np.zeros((2, 3)), classes=2, seed=0)
    np.testing.assert_allclose(scores, [[0.25, 0.75]] * 2)


def test_one_sample_is_enough() -> None:
    scores = ridge(np.ones((1, 3)), np.array([1]), np.zeros((1, 3)), classes=3, seed=0)
    np.testing.assert_allclose(scores, [[0, 1, 0]])
