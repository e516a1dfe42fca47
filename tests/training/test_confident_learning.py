"""Confident learning beside its definition in plain loops, and beside cleanlab where it is installed."""

import numpy as np
import pytest

from kakera.training.confident_learning import confident_joint


def random_labels(seed: int, count: int = 300, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes)) + 2.5 * np.eye(classes)[truth]
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.where(random.random(count) < 0.2, random.integers(0, classes, count), truth)
    return likely, labels


@pytest.mark.parametrize("seed", range(3))
def test_the_joint_is_that_of_the_paper_in_plain_loops(seed: int) -> None:
    likely, labels = random_labels(seed)
    classes = likely.shape[1]
    thresholds = [likely[labels == each, each].mean() for each in range(classes)]
    counts = np.zeros((classes, classes), int)
    for row, label in zip(likely, labels, strict=True):
        reached = [each for each in range(classes) if row[each] >= thresholds[each]]
        if reached:
            counts[label, max(reached, key=lambda each: row[each])] += 1
    found = confident_joint(likely, labels)
    np.testing.assert_allclose(found.thresholds, thresholds)
    assert found.counts.tolist() == counts.tolist()
    shares = counts / counts.sum(axis=1, keepdims=True) * np.bincount(labels)[:, None] / len(labels)
    np.testing.assert_allclose(found.joint(labels), shares)


@pytest.mark.parametrize("seed", range(3))
def test_the_joint_and_the_doubtful_labels_are_those_of_cleanlab(seed: int) -> None:
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed: pip install cleanlab")
    likely, labels = random_labels(seed)
    joint, rows = count.compute_confident_joint(
        labels, likely, calibrate=False, return_indices_of_off_diagonals=True
    )
    found = confident_joint(likely, labels)
    assert found.counts.tolist() == joint.tolist()
    assert np.flatnonzero((found.counted >= 0) & (found.counted != labels)).tolist() == sorted(rows)
    theirs = count.estimate_joint(labels, likely, confident_joint=joint)  # rounded to whole files
    np.testing.assert_allclose(found.joint(labels), theirs, atol=1 / len(labels))


def test_a_class_without_a_label_takes_no_part() -> None:
    likely = np.array([[0.6, 0.1, 0.3], [0.2, 0.5, 0.3]])
    found = confident_joint(likely, np.array([0, 1]))
    assert found.thresholds[2] == np.inf
    assert found.counted.tolist() == [0, 1]
    assert found.joint(np.array([0, 1])).sum() == pytest.approx(1)
