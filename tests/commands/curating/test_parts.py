"""Unusual files, labels and coverage on vectors whose faults are known."""

import numpy as np
import pytest

from kakera.commands.curating.copies import likeness_limit
from kakera.commands.curating.coverage import find_coverage
from kakera.commands.curating.labels import check_labels
from kakera.commands.curating.unusual import find_unusual


def clouds(count: int, classes: int, width: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = 6 * np.eye(classes, width)
    return (random.normal(size=(count, width)) + centres[labels]).astype(np.float32), labels.astype(np.int64)


def test_planted_labels_are_suspect_with_the_right_class() -> None:
    tokens, truth = clouds(300, 3)
    labels, wrong = truth.copy(), np.arange(0, 300, 29)
    labels[wrong] = (truth[wrong] + 1) % 3
    check = check_labels(tokens, labels, 3)
    assert not isinstance(check, str)
    found = check.suspects()
    assert {row for row, _, _ in found} <= {*wrong.tolist()}
    assert len(found) >= len(wrong) - 1  # a probability below the mean of its class is not counted
    assert all(counted == truth[row] for row, counted, _ in found)
    assert [score for _, _, score in found] == sorted((score for _, _, score in found), reverse=True)


def test_copies_do_not_vote_for_their_own_label() -> None:
    tokens, labels = clouds(60, 2)
    tokens, labels = np.concatenate([tokens, tokens[:1].repeat(12, 0)]), np.concatenate([labels, [0] * 12])
    copies = [0, *range(60, 72)]
    labels[copies] = 1  # truly 0
    check = check_labels(tokens, labels, 2, [copies])
    assert not isinstance(check, str)
    assert {row for row, _, _ in check.suspects()} >= {*copies}


def test_classes_that_share_files_overlap() -> None:
    tokens, labels = clouds(300, 3)
    labels[::3] = np.random.default_rng(0).integers(0, 2, 100)  # a third of 0 and 1 is mixed
    check = check_labels(tokens, labels, 3)
    assert not isinstance(check, str)
    assert check.overlaps()[0][:2] == (0, 1)


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([0] * 20, "all labels are of one class"),
        ([-1] * 15 + [0, 1] * 2 + [0], "it has 5 labelled files, and a check needs 10"),
        ([*range(20)], "no class has two labels"),
    ],
)
def test_labels_that_cannot_be_checked_are_named(labels: list[int], why: str) -> None:
    tokens = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    assert check_labels(tokens, np.array(labels), 20) == why


def test_about_one_file_of_normal_data_is_unusual() -> None:
    counts = []
    for seed in range(5):
        tokens = np.random.default_rng(seed).normal(size=(500, 10)).astype(np.float32)
        found = find_unusual(tokens)
        assert found is not None
        counts.append(len(found.rows()))
    assert sum(counts) <= 15


def test_foreign_vectors_are_the_most_unusual_ones() -> None:
    tokens = np.random.default_rng(0).normal(size=(400, 10)).astype(np.float32)
    tokens[[3, 77, 200]] += np.array([[12, 0], [0, -12], [9, 9]]).repeat(5, axis=1)
    found = find_unusual(tokens)
    assert found is not None
    assert {*found.rows(3).tolist()} == {3, 77, 200}


def test_few_files_are_not_searched() -> None:
    assert find_unusual(np.zeros((39, 4), np.float32)) is None
    assert find_coverage(np.zeros((50, 4), np.float32), np.arange(39), np.arange(39, 50)) is None


def test_a_cluster_without_test_files_and_a_far_test_file_are_found() -> None:
    tokens, own = clouds(400, 4)
    train = np.arange(300)
    test = np.array([row for row in range(300, 400) if own[row] != 2])
    tokens[test[5]] = -20
    found = find_coverage(tokens, train, test)
    assert found is not None
    assert {*np.concatenate(found.empty).tolist()} == {*train[own[train] == 2].tolist()}
    assert next(iter(found.far)) == test[5]


def test_the_limit_is_high_above_the_likeness_of_different_files() -> None:
    spread = np.random.default_rng(0).normal(0.4, 0.15, 4000)
    limit = likeness_limit(np.tanh(np.concatenate([spread, np.full(40, 3.0)])))  # copies do not move it
    assert limit == pytest.approx(np.tanh(0.4 + 5.5 * 0.15), abs=0.02)
    assert likeness_limit(np.tanh(spread[:39])) == 0.93
