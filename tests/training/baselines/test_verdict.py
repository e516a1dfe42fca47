import numpy as np
import pytest

from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.training.baselines.baselines import Baseline, Baselines
from kakera.training.baselines.verdict import judge, measure_of
from kakera.training.predictions import Predictions


def part(labels: np.ndarray) -> Dataset:
    values = np.zeros((len(labels), 2, 2, 1), np.uint8)
    return Dataset("d", ArrayPictures(values), 1, np.array(["test"] * len(labels)), ("a", "b"), labels)


def predictions(labels: np.ndarray, right: int) -> Predictions:
    """The first `right` files are classified rightly."""
    guesses = np.where(np.arange(len(labels)) < right, labels, 1 - labels)
    return Predictions.of(np.eye(2)[guesses] * 0.8 + 0.1, labels, np.arange(len(labels)))


def baselines(right: int, count: int = 100) -> Baselines:
    hits = "1" * right + "0" * (count - right)
    best = Baseline("pixels", right / count, right / count, None, hits)
    worse = Baseline("majority", 0.5, 0.5, None, "10" * (count // 2))
    return Baselines(50, 50, count, tuple(range(count)), (worse, best))


EVEN = np.tile([0, 1], 50)


def test_a_network_that_is_surely_above_is_said_to_be() -> None:
    found = judge(part(EVEN), "test", predictions(EVEN, 90), baselines(70))
    assert found.level == "good"
    assert found.text.startswith("Better than the best baseline (pixels: 70.0 %) by 20.0 points")
    assert "accuracy 90.0 %" in found.text


def test_a_network_below_is_said_not_to_be_above() -> None:
    found = judge(part(EVEN), "test", predictions(EVEN, 60), baselines(70))
    assert found.level == "bad"
    assert found.text.startswith("Not better than the best baseline (pixels: 70.0 %): accuracy 60.0 %")
    assert "10.0 points less" in found.text


def test_one_file_more_of_a_hundred_is_not_surely_more() -> None:
    found = judge(part(EVEN), "test", predictions(EVEN, 71), baselines(70))
    assert found.level == "doubt"
    assert found.text.startswith("Not clearly better than")


def test_files_that_only_one_of_them_saw_are_not_compared() -> None:
    seen = predictions(EVEN, 90)
    some = Predictions(seen.numbers[10:], seen.rows[10:])
    found = judge(part(EVEN), "test", some, baselines(70))
    assert found.gap is not None
    assert found.gap.value == pytest.approx(80 / 90 - 60 / 90)


def test_without_baselines_it_is_said_that_there_are_none() -> None:
    found = judge(part(EVEN), "val", predictions(EVEN, 90), None)
    assert "on 100 validation files; no baseline was measured" in found.text


@pytest.mark.parametrize(
    ("counts", "measure"),
    [((50, 50), "accuracy"), ((60, 40), "accuracy"), ((61, 40), "balanced accuracy")],
)
def test_uneven_classes_are_compared_by_balanced_accuracy(counts: tuple[int, int], measure: str) -> None:
    assert measure_of(np.repeat([0, 1], counts)) == measure
