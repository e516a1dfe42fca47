import numpy as np
import pytest
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.training.probes.features import indicators, labelled, standardise


def test_rows_without_a_label_are_left_out() -> None:
    rows, labels = labelled(np.arange(6.0).reshape(3, 2), np.array([1, -1, 0]), classes=2)
    assert rows.tolist() == [[0, 1], [4, 5]]
    assert labels.tolist() == [1, 0]


def test_train_has_mean_zero_and_deviation_one_and_test_is_moved_with_it() -> None:
    train = np.random.default_rng(0).normal(3, 5, (40, 4)).astype(np.float32)
    moved, test = standardise(train, train[:3])
    np.testing.assert_allclose(moved.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(moved.std(0), 1)
    np.testing.assert_array_equal(test, moved[:3])


def test_a_column_that_is_constant_in_train_becomes_zero_in_both() -> None:
    moved, test = standardise(np.full((5, 1), 0.1, dtype=np.float32), np.array([[7.0]]))
    assert not moved.any()
    assert not test.any()


def test_labels_of_both_kinds_become_zeros_and_ones() -> None:
    assert indicators(np.array([2, 0]), classes=3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert indicators(np.array([[True, False]]), classes=2).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("train", "labels", "said"),
    [
        (np.zeros((0, 2)), np.zeros(0, dtype=np.int64), "no labelled sample"),
        (np.zeros((2, 2)), np.array([-1, -1]), "no labelled sample"),
        (np.zeros((2, 2)), np.array([0, 3]), "label 3"),
        (np.zeros((2, 2)), np.array([0]), "shape"),
        (np.zeros((2, 2)), np.zeros((2, 2), dtype=bool), "shape"),
        (np.zeros(2), np.array([0, 1]), "shape"),
        (np.full((1, 2), np.inf), np.array([0]), "not finite"),
    ],
)
def test_what_no_probe_can_use_is_refused(train: NDArray, labels: NDArray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        labelled(train, labels, classes=3)
