import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import average_precision_score

from kakera.training.baselines import confidence


@pytest.mark.parametrize(("right", "count"), [(0, 7), (7, 7), (61, 100), (999, 1000), (1, 1)])
def test_the_interval_of_an_accuracy_is_scipys_wilson(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(method="wilson")
    found = confidence.accuracy(np.arange(count) < right)
    assert found.value == right / count
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_with_even_classes_balanced_accuracy_is_no_less_sure_than_accuracy() -> None:
    labels, hits = np.repeat([0, 1, 2], 20), np.tile(np.arange(20) < 15, 3)
    assert confidence.balanced(hits, labels) == confidence.accuracy(hits)


def test_a_rare_class_widens_the_interval_of_balanced_accuracy() -> None:
    labels = np.repeat([0, 1], [100, 4])
    hits = np.concatenate([np.arange(100) < 90, [True, True, False, False]])
    found = confidence.balanced(hits, labels)
    assert found.value == pytest.approx((0.9 + 0.5) / 2)
    assert found.high - found.low > 2 * (confidence.accuracy(hits).high - confidence.accuracy(hits).low)


def test_the_interval_of_balanced_accuracy_holds_the_truth_about_as_often_as_it_says() -> None:
    random, counts, truth = np.random.default_rng(0), np.array([6, 30, 100]), np.array([0.5, 0.9, 0.8])
    labels, held = np.repeat(np.arange(3), counts), 0
    for _ in range(1000):
        right = random.binomial(counts, truth)
        hits = np.concatenate([np.arange(n) < k for n, k in zip(counts, right, strict=True)])
        found = confidence.balanced(hits, labels)
        held += found.low <= truth.mean() <= found.high
    assert 0.91 < held / 1000 < 0.99


def test_a_difference_is_paired_as_scipys_bootstrap_of_differences() -> None:
    random = np.random.default_rng(1)
    first, second = random.random(300) < 0.8, random.random(300) < 0.7
    gaps = first.astype(float) - second
    expected = bootstrap(
        (gaps,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    found = confidence.difference(first, second)
    assert found.value == pytest.approx(gaps.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_the_same_answers_differ_by_nothing() -> None:
    hits = np.arange(50) % 3 > 0
    found = confidence.difference(hits, hits, np.arange(50) % 5)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_balanced_difference_weighs_classes_equally() -> None:
    labels = np.repeat([0, 1], [90, 10])
    first, second = labels == 1, labels == 0
    assert confidence.difference(first, second, labels).value == 0
    assert confidence.difference(first, second).value == pytest.approx(-0.8)


def test_average_precision_is_scikit_learns_and_its_interval_lies_around_it() -> None:
    random = np.random.default_rng(0)
    labels = random.random((200, 4)) < 0.3
    labels[:, 3] = False  # a class that the test files lack
    scores = np.round(random.random((200, 4)) + 0.5 * labels, 1)  # with ties
    found = confidence.average_precision(scores, labels)
    assert found is not None
    assert found.value == pytest.approx(average_precision_score(labels[:, :3], scores[:, :3]))
    assert found.low < found.value < found.high


def test_an_average_precision_that_takes_too_long_has_no_interval() -> None:
    labels = np.zeros((100_000, 100), dtype=bool)
    labels[0] = True
    assert confidence.average_precision(np.zeros((100_000, 100)), labels) is None
