"""Times at equal accuracy: interpolated between measured points, never outside of them."""

import math

import pytest

from kakera.bench.time_to_accuracy.curves import BEFORE, NOT_REACHED, crossing, curve

PEER = [(60.0, 60.0), (120.0, 75.0), (240.0, 72.0)]


def test_the_time_is_read_on_the_line_between_two_points_in_the_logarithm_of_time() -> None:
    found = crossing([(10.0, 70.0), (1000.0, 80.0)], PEER)
    assert (found.accuracy, found.peer_seconds) == (75.0, 120.0)
    assert found.seconds == pytest.approx(100.0)  # 75 is half way, and 100 is the geometric mean
    assert found.ratio == pytest.approx(1.2)


def test_a_measured_point_is_found_exactly() -> None:
    assert crossing([(10.0, 70.0), (30.0, 75.0), (90.0, 77.0)], PEER).seconds == pytest.approx(30.0)
    assert crossing([(30.0, 75.0)], PEER).ratio == pytest.approx(4.0)


def test_the_first_of_several_crossings_counts() -> None:
    found = crossing([(10.0, 70.0), (20.0, 80.0), (40.0, 60.0), (80.0, 90.0)], PEER)
    assert found.seconds == pytest.approx(10.0 * math.sqrt(2))


def test_an_accuracy_that_is_not_reached_has_no_time() -> None:
    found = crossing([(10.0, 70.0), (1000.0, 74.9)], PEER)
    assert (found.text, found.seconds, found.ratio) == (NOT_REACHED, None, None)


def test_a_curve_that_begins_above_has_no_time() -> None:
    found = crossing([(10.0, 75.1), (20.0, 90.0)], PEER)
    assert (found.text, found.seconds, found.ratio) == (BEFORE, None, None)


def test_seeds_of_one_budget_are_one_point() -> None:
    points = [
        {"budget": 120, "seconds": 100.0, "accuracies": {"100": [70.0, 72.0]}},
        {"budget": 60, "seconds": 50.0, "accuracies": {"100": [60.0]}},
        {"budget": 120, "seconds": 110.0, "accuracies": {"100": [73.0, 73.0]}},
        {"budget": 240, "seconds": 230.0, "accuracies": {"1000": [80.0]}},
    ]
    assert curve(points, 100) == [(50.0, 60.0), (105.0, 72.0)]
