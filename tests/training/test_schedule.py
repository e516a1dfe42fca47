import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.errors import OptionError
from kakera.training.schedule import learning_rate, peak_rate


def test_warm_up_rises_in_a_straight_line_from_zero() -> None:
    rates = [learning_rate(step, peak=2.0, warmup_steps=4, total_steps=12) for step in range(5)]
    assert rates == [0.0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("step", "rate"),
    [(10, 1.0), (40, 0.1 + 0.9 * (2 + math.sqrt(2)) / 4), (70, 0.55), (90, 0.325), (130, 0.1)],
)
def test_the_cosine_passes_its_known_points(step: int, rate: float) -> None:
    # cos at π/4, π/2, 2π/3: √½, 0, −½
    assert learning_rate(step, peak=1.0, warmup_steps=10, total_steps=130, floor=0.1) == pytest.approx(rate)


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert learning_rate(0, peak=0.3, warmup_steps=0, total_steps=5) == 0.3


def test_past_the_end_the_rate_stays_at_the_floor() -> None:
    assert learning_rate(99, peak=1.0, warmup_steps=2, total_steps=9, floor=0.2) == 0.2


def test_all_warm_up_ends_on_the_peak() -> None:
    assert learning_rate(5, peak=1.0, warmup_steps=5, total_steps=5) == 1.0


@given(st.integers(0, 50), st.integers(1, 200), st.floats(0, 1))
def test_the_rate_falls_after_the_warm_up_and_stays_between_floor_and_peak(
    warmup: int, rest: int, floor: float
) -> None:
    rates = [
        learning_rate(s, peak=1.0, warmup_steps=warmup, total_steps=warmup + rest, floor=floor)
        for s in range(warmup, warmup + rest + 1)
    ]
    assert all(a >= b - 1e-12 for a, b in pairwise(rates))
    assert rates[0] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(floor)


def test_the_rate_grows_with_the_batch() -> None:
    assert peak_rate(1.5e-4, 4096) == pytest.approx(2.4e-3)


@pytest.mark.parametrize(("step", "warmup", "total"), [(0, 6, 5), (-1, 1, 5), (0, -1, 5)])
def test_an_impossible_schedule_is_refused(step: int, warmup: int, total: int) -> None:
    with pytest.raises(OptionError, match="warm-up"):
        learning_rate(step, peak=1.0, warmup_steps=warmup, total_steps=total)
