import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from kakera.errors import DataError
from kakera.training.probes import probes
from kakera.training.probes.probes import DEFAULT_STRENGTH, PROBES, logistic, nearest

every = pytest.mark.parametrize("name", PROBES)


def clouds(count: int, classes: int = 3, width: int = 6, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Clouds that a straight line parts, one for each class."""
    labels = np.arange(count) % classes
    noise = np.random.default_rng(seed).normal(size=(count, width))
    return (noise + 8 * np.eye(classes, width)[labels]).astype(np.float32), labels


@every
def test_every_probe_learns_what_a_line_parts(name: str) -> None:
    (train, labels), (test, truth) = clouds(60), clouds(30, seed=1)
    scores = PROBES[name](train, labels, test, classes=3, seed=0)
    assert scores.shape == (30, 3)
    assert (scores.argmax(1) == truth).mean() > 0.95


@every
def test_every_probe_takes_several_labels(name: str) -> None:
    (train, labels), (test, truth) = clouds(60), clouds(30, seed=1)
    # Class 3 is "class 0 or class 2".
    both = np.stack([labels == 0, labels == 1, labels == 2, labels != 1], axis=1)
    scores = PROBES[name](train, both, test, classes=4, seed=0)
    assert scores.shape == (30, 4)
    assert ((scores > 0.5)[:, 3] == (truth != 1)).mean() > 0.9


@every
def test_a_class_absent_from_training_is_never_the_guess(name: str) -> None:
    (train, labels), (test, _) = clouds(40, classes=2), clouds(20, classes=2, seed=1)
    scores = PROBES[name](train, 2 * labels, test, classes=4, seed=0)
    assert set(scores.argmax(1)) == {0, 2}


@every
def test_unlabelled_samples_teach_nothing(name: str) -> None:
    train, labels = clouds(40)
    partly = np.where(np.arange(40) < 20, labels, -1)
    wanted = PROBES[name](train[:20], labels[:20], train, classes=3, seed=0)
    np.testing.assert_allclose(PROBES[name](train, partly, train, classes=3, seed=0), wanted, atol=1e-6)


@every
def test_every_probe_gives_the_same_scores_twice(name: str) -> None:
    train, labels = clouds(30)
    first, second = (PROBES[name](train, labels, train, classes=3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@every
def test_no_label_at_all_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="no labelled sample"):
        PROBES[name](np.zeros((2, 2)), np.array([-1, -1]), np.zeros((1, 2)), classes=2, seed=0)


@every
def test_no_test_sample_gives_no_scores(name: str) -> None:
    train, labels = clouds(12)
    assert PROBES[name](train, labels, train[:0], classes=3, seed=0).shape == (0, 3)


def test_neighbours_vote_as_in_a_plain_loop() -> None:
    (train, labels), (test, _) = clouds(50, classes=4, width=4), clouds(7, classes=4, width=4, seed=1)
    scores = nearest(train, labels, test, classes=4, seed=0)
    for row, sample in zip(scores, test, strict=True):
        cosines = [
            float(sample @ other) / math.sqrt(float(sample @ sample) * float(other @ other))
            for other in train.astype(np.float64)
        ]
        votes = [0.0] * 4
        for i in sorted(range(50), key=lambda i: -cosines[i])[:20]:
            votes[labels[i]] += math.exp(cosines[i] / 0.07)
        np.testing.assert_allclose(row, np.array(votes) / sum(votes), rtol=1e-5, atol=1e-9)


def test_neighbours_in_many_blocks_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    train, labels = clouds(50)
    whole = nearest(train, labels, train, classes=3, seed=0)
    monkeypatch.setattr(probes, "BLOCK", 7)
    np.testing.assert_allclose(nearest(train, labels, train, classes=3, seed=0), whole, rtol=1e-5)


def test_features_of_zeros_have_neighbours_too() -> None:
    scores = nearest(np.zeros((4, 3)), np.array([0, 0, 0, 1]), np.zeros((1, 3)), classes=2, seed=0)
    np.testing.assert_allclose(scores, [[0.75, 0.25]])


def test_with_few_samples_the_logistic_penalty_is_the_stated_one() -> None:
    train, labels = clouds(12)
    scaler = StandardScaler().fit(train.astype(np.float64))
    ours = logistic(train, labels, train, classes=3, seed=0)
    theirs = LogisticRegression(C=DEFAULT_STRENGTH).fit(scaler.transform(train), labels)
    np.testing.assert_allclose(ours, theirs.predict_proba(scaler.transform(train)), atol=1e-3)


def test_labels_that_are_noise_get_a_strong_logistic_penalty() -> None:
    random = np.random.default_rng(0)
    train = random.normal(size=(60, 30)).astype(np.float32)
    scores = logistic(train, random.permutation(np.arange(60) % 2), train, classes=2, seed=0)
    np.testing.assert_allclose(scores, 0.5, atol=0.1)


def test_one_class_alone_is_certain_for_the_logistic_probe() -> None:
    scores = logistic(np.eye(3), np.array([1, 1, 1]), np.eye(3), classes=2, seed=0)
    np.testing.assert_array_equal(scores, [[0, 1]] * 3)


def test_a_fit_that_does_not_converge_yields_to_a_stronger_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    train, labels = clouds(12)
    # So few that only the strong penalties, whose fits stay near zero, converge.
    monkeypatch.setattr(probes, "ITERATIONS", 6)
    scores = logistic(train, labels, train, classes=3, seed=0)
    assert (scores.argmax(1) == labels).all()
    assert scores.max() < 0.9


def test_no_convergence_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    train, labels = clouds(12)
    monkeypatch.setattr(probes, "ITERATIONS", 1)
    with pytest.raises(DataError, match="no convergence in 1 iterations"):
        logistic(train, labels, train, classes=3, seed=0)
