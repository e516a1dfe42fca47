"""How long the baselines take, and how much of a limit the frozen start may."""

import time

import pytest

from kakera.training.baselines.baselines import measure_baselines
from kakera.training.planning.baseline_costs import (
    ALWAYS,
    baseline_seconds,
    frozen_limit,
    frozen_seconds,
)
from tests.small import pictures


def test_more_files_and_more_classes_take_longer_up_to_ten_thousand_files() -> None:
    def seconds(train: int, classes: int = 10) -> float:
        return baseline_seconds(train, 100, classes, recordings=False)

    assert ALWAYS < seconds(100) < seconds(1000) < seconds(1000, 90) < seconds(10_000, 90)
    assert seconds(10_000) == seconds(1_000_000)


def test_the_estimate_is_of_the_order_of_what_they_take() -> None:
    data = pictures(600, 200)
    measure_baselines(data.part("train"), data.part("test"))  # scikit-learn is imported once
    began = time.monotonic()
    measure_baselines(data.part("train"), data.part("test"))
    took = time.monotonic() - began
    assert took / 8 < baseline_seconds(600, 200, 10, recordings=False) - ALWAYS < took * 8


@pytest.mark.parametrize(
    ("training", "limit", "expected"),
    [(20, 0, 10), (600, 0, 60), (20, 30, 3), (600, 700, 60), (50, 1000, 10)],
)
def test_the_frozen_start_takes_a_tenth_of_the_training_or_of_a_short_limit(
    training: float, limit: float, expected: float
) -> None:
    assert frozen_limit(training, limit) == pytest.approx(expected)


def test_the_frozen_start_takes_no_longer_than_its_files_need() -> None:
    assert frozen_seconds(100, 20, 0.01, 10) == pytest.approx(1.2)
    assert frozen_seconds(1000, 200, 0.1, 10) == 10
