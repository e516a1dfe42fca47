import time
from pathlib import Path

import pytest

from kakera.study import costs
from kakera.study.costs import Pace, pace, rate


class Clock:
    """A training that takes 5 s and 0.1 s a step, and 60 s more the first time, in no time at all."""

    def __init__(self) -> None:
        self.now, self.steps = 0.0, list[int]()

    def train(self, folder: Path, steps: int) -> None:
        self.now += 5.0 + 0.1 * steps + (60.0 if not self.steps else 0.0)
        self.steps.append(steps)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    return clock


def test_start_and_steps_are_told_apart(clock: Clock, tmp_path: Path) -> None:
    found = pace(clock.train, 1000, tmp_path)
    assert (found.start, found.step) == pytest.approx((5.0, 0.1))
    assert max(clock.steps) * 0.1 >= costs.ENOUGH


def test_a_known_start_saves_measuring_it(clock: Clock, tmp_path: Path) -> None:
    clock.steps.append(0)
    found = pace(clock.train, 1000, tmp_path, start=5.0)
    assert (found.start, found.step) == pytest.approx((5.0, 0.1))


def test_no_more_steps_are_taken_than_a_training_has(clock: Clock, tmp_path: Path) -> None:
    for most in (1, 2, 5):
        clock.steps.clear()
        found = pace(clock.train, most, tmp_path)
        assert max(clock.steps) == most
        assert found.seconds(most) == pytest.approx(5.0 + 0.1 * most)


def test_the_time_of_a_training() -> None:
    assert Pace(2.0, 0.5).seconds(10) == 7.0


def test_a_rate_is_for_one_of_many(clock: Clock) -> None:
    def work() -> str:
        clock.now += 8.0
        return "found"

    assert rate(work, 4) == (2.0, "found")
