import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from kakera.errors import DataError
from kakera.training.metrics import evaluate, evaluate_predictions
from kakera.training.metrics_report import Evaluation
from kakera.training.predictions import Predictions, judged

ABC = ("a", "b", "c")


def probabilities(seed: int, count: int, classes: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), count)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class {i}" for i in range(count))


def single(seed: int = 0, count: int = 60, classes: int = 7) -> tuple[Evaluation, NDArray[np.int64], NDArray]:
    scores = probabilities(seed, count, classes)
    labels = np.random.default_rng(seed + 1).integers(0, classes, count)
    return evaluate(scores, labels, names(classes)), labels, scores


def multi_label(seed: int = 0) -> tuple[Evaluation, NDArray[np.bool_], NDArray]:
    random = np.random.default_rng(seed)
    labels = random.random((50, 4)) < 0.3
    labels[0] = True
    scores = random.random((50, 4)).round(1)  # rounded, so that there are ties
    return evaluate(scores, labels, names(4)), labels, scores


def test_accuracy_and_its_kin_agree_with_scikit_learn() -> None:
    found, labels, scores = single()
    guesses = scores.argmax(1)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, guesses))
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, guesses))
    assert found.top5 == pytest.approx(metrics.top_k_accuracy_score(labels, scores, k=5))
    assert found.log_loss == pytest.approx(metrics.log_loss(labels, scores))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(labels, guesses, average="macro"))


def test_the_results_of_each_class_agree_with_scikit_learn() -> None:
    found, labels, scores = single()
    oracle = metrics.precision_recall_fscore_support(labels, scores.argmax(1))
    ours = [(row.precision, row.recall, row.f1, row.count) for row in found.per_class]
    np.testing.assert_allclose(np.array(ours).T, np.array(oracle))


def test_the_rows_of_the_confusion_matrix_are_the_truth() -> None:
    scores = np.eye(3)[[1, 1, 2]]
    assert evaluate(scores, np.array([0, 1, 2]), ABC).confusion == ((0, 1, 0), (0, 1, 0), (0, 0, 1))


def test_unlabelled_samples_are_dropped_and_counted() -> None:
    _, labels, scores = single()
    labels = labels.copy()
    labels[::3] = -1
    found = evaluate(scores, labels, names(7))
    kept = evaluate(scores[labels >= 0], labels[labels >= 0], names(7))
    assert (found.count, found.unlabelled, found.accuracy) == (40, 20, kept.accuracy)


def test_balanced_accuracy_is_over_the_classes_present() -> None:
    found = evaluate(np.eye(3)[[0, 0, 0, 1]], np.array([0, 0, 1, 1]), ABC)
    assert found.balanced_accuracy == pytest.approx(0.75)
    assert found.classes_without_samples == ("c",)
    assert "1 of 3 classes without a sample" in found.summary()


def test_what_has_no_denominator_is_none() -> None:
    a, b, c = evaluate(np.eye(3)[[0, 0, 2]], np.array([0, 1, 0]), ABC).per_class
    assert (a.precision, a.recall) == (0.5, 0.5)
    assert (b.precision, b.recall, b.f1) == (None, 0.0, 0.0)
    assert (c.precision, c.recall, c.f1) == (0.0, None, None)


def test_top_five_says_nothing_about_five_classes() -> None:
    assert single(classes=5)[0].top5 is None


def test_equal_scores_do_not_count_as_hits_in_the_top_five() -> None:
    found = evaluate(np.zeros((8, 8)), np.arange(8), names(8))
    assert (found.accuracy, found.top5) == (1 / 8, 5 / 8)


def test_scores_that_are_no_probabilities_have_neither_log_loss_nor_calibration() -> None:
    found = evaluate(np.array([[2.0, -1.0, 0.0]]), np.array([0]), ABC)
    assert (found.accuracy, found.log_loss, found.calibration_error) == (1.0, None, None)


def test_a_certain_mistake_has_a_finite_log_loss() -> None:
    found = evaluate(np.eye(3)[[0]], np.array([1]), ABC)
    assert found.log_loss is not None
    assert found.log_loss == pytest.approx(36.04, abs=0.01)  # −log of the double's epsilon, 2⁻⁵²


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    # Ten samples at .9 of which five are right, ten at .6 of which six are: (.4 + 0) / 2.
    scores = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    labels = np.array([0] * 5 + [1] * 5 + [0] * 6 + [1] * 4)
    assert evaluate(scores, labels, ("a", "b")).calibration_error == pytest.approx(0.2)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 8))
def test_no_test_set_is_too_small_or_too_uneven(seed: int, count: int, classes: int) -> None:
    found, labels, _ = single(seed, count, classes)
    assert found.confusion is not None
    assert sum(map(sum, found.confusion)) == count
    assert len(found.classes_without_samples) == classes - len(set(labels))


def test_average_precision_agrees_with_scikit_learn() -> None:
    found, labels, scores = multi_label()
    ours = [row.average_precision for row in found.per_class]
    np.testing.assert_allclose(ours, metrics.average_precision_score(labels, scores, average=None))
    assert found.mean_average_precision == pytest.approx(np.mean(ours))


def test_the_f1_of_several_labels_agrees_with_scikit_learn() -> None:
    found, labels, scores = multi_label()
    assert found.micro_f1 == pytest.approx(metrics.f1_score(labels, scores >= 0.5, average="micro"))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(labels, scores >= 0.5, average="macro"))


def test_classes_without_a_positive_are_excluded_and_said() -> None:
    _, labels, scores = multi_label()
    rest = evaluate(scores[:, 1:], labels[:, 1:], names(4)[1:])
    labels = labels.copy()
    labels[:, 0] = False
    found = evaluate(scores, labels, names(4))
    assert found.mean_average_precision == rest.mean_average_precision
    assert found.classes_without_samples == ("class 0",)
    assert "1 of 4 classes" in found.summary()


def test_several_labels_without_any_positive_have_no_score() -> None:
    found = evaluate(np.zeros((2, 3)), np.zeros((2, 3), dtype=bool), ABC)
    assert found.score is None
    assert "precision –" in found.summary()


def test_the_summary_is_one_line() -> None:
    assert single()[0].summary().startswith("accuracy ")
    assert "\n" not in single()[0].summary() + multi_label()[0].summary()


@pytest.mark.parametrize("found", [single()[0], multi_label()[0]], ids=["one", "several"])
def test_the_json_can_be_written_strictly(found: Evaluation) -> None:
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["per_class"][0]["name"] == "class 0"


def test_the_table_has_a_header_and_a_row_of_equal_length_for_each_class() -> None:
    for found, rows, columns in ((single()[0], 8, 5), (multi_label()[0], 5, 6)):
        assert [len(row) for row in found.table()] == [columns] * rows


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        (np.zeros((0, 3)), np.zeros(0, dtype=np.int64), "none with a label"),
        (np.zeros((0, 3)), np.zeros((0, 3), dtype=bool), "none with a label"),
        (np.zeros((2, 3)), np.array([-1, -1]), "none with a label"),
        (np.zeros((2, 3)), np.array([0, 3]), "labels from 0 to 3"),
        (np.zeros((2, 4)), np.array([0, 1]), "shape"),
        (np.zeros((2, 3)), np.array([0]), "shape"),
        (np.full((1, 3), np.nan), np.array([0]), "not finite"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(scores: NDArray, labels: NDArray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        evaluate(scores, labels, ABC)


def test_many_classes_keep_the_commonest_mistakes_instead_of_a_table() -> None:
    labels = np.array([0] * 5 + [1] * 3 + [2] * 4)
    guesses = np.array([9] * 5 + [8] * 2 + [1] + [2] * 4)
    found = evaluate(np.eye(101)[guesses], labels, names(101))
    assert found.confusion is None
    assert not found.multi_label
    assert found.confused == (("class 0", "class 9", 5), ("class 1", "class 8", 2))


def test_memory_and_results_grow_with_files_and_classes_not_with_their_product() -> None:
    count, classes = 2_000, 20_000
    labels = np.random.default_rng(0).integers(0, classes, count)
    scores = (np.eye(1, classes, int(label), dtype=np.float32) for label in labels)
    rows = np.concatenate([judged(one, labels[[i]]) for i, one in enumerate(scores)])
    tracemalloc.start()
    found = evaluate_predictions(Predictions(np.arange(count), rows), labels, names(classes))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.accuracy == 1.0
    assert peak < 20e6  # 20 000 results of classes; one byte for each score would be 40 MB
    assert len(json.dumps(found.to_json())) < 200 * classes
