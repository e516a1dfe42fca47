import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kakera.reports.intervals import crossings, holm, interval, paired, signs

numbers = st.floats(-100, 100)
multi_label = st.lists(numbers, min_size=2, max_size=8).filter(lambda v: max(v) - min(v) > 1e-3)


def test_two_values_have_the_interval_of_the_cauchy_distribution() -> None:
    # Student's t with one degree of freedom is Cauchy's, whose 97.5 % point is tan(0.475 π).
    found = interval([1.0, 3.0])
    assert found.mean == 2.0
    assert found.half == pytest.approx(math.tan(0.475 * math.pi) * 1.0)


@given(multi_label)
def test_intervals_are_those_of_scipy(values: list[float]) -> None:
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=sum(values) / len(values), scale=stats.sem(values)
    )
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


def test_one_value_has_no_interval() -> None:
    assert interval([5.0]).half == math.inf
    assert paired([5.0], [1.0]).p == 1.0


@given(multi_label, st.data())
def test_paired_differences_are_tested_as_scipy_does(first: list[float], data: st.DataObject) -> None:
    second = data.draw(st.lists(numbers, min_size=len(first), max_size=len(first)))
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    if max(gaps) - min(gaps) < 1e-3:
        return
    found = paired(first, second)
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-6, abs=1e-12)
    assert found.mean == pytest.approx(sum(gaps) / len(gaps))


def test_what_is_shared_cancels_in_pairs() -> None:
    first, second = [10.0, 50.0, 90.0], [9.0, 49.1, 88.9]
    assert interval(first).low < interval(second).high
    assert paired(first, second).p < 0.01


def test_equal_gaps_are_certain_and_no_gaps_are_nothing() -> None:
    assert paired([2.0, 3.0], [1.0, 2.0]).p == 0.0
    assert paired([2.0, 3.0], [2.0, 3.0]).p == 1.0


def test_holm_by_hand() -> None:
    # Sorted .01, .03, .04: times 3, 2, 1, never falling.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_raises_every_p_and_keeps_the_order(p_values: list[float]) -> None:
    found = holm(p_values)
    assert all(p <= corrected <= 1 for p, corrected in zip(p_values, found, strict=True))
    assert sorted(range(len(found)), key=lambda i: (p_values[i], found[i])) == sorted(
        range(len(found)), key=lambda i: (found[i], p_values[i])
    )


def test_differences_judged_together_need_more() -> None:
    weak = paired([1.0, 2.0, 3.3], [0.0, 0.6, 2.0])
    assert signs([weak]) == [1]
    assert signs([weak] * 40) == [0] * 40


def sure(gap: float) -> list[float]:
    return [gap - 0.1, gap, gap + 0.1]


def test_a_crossing_is_found_where_both_sides_are_sure() -> None:
    zero = [0.0] * 3
    differences = [paired(sure(gap), zero) for gap in (-10.0, -10.0, 10.0)]
    (found,) = crossings([10, 100, 10_000], differences)
    assert (found.low, found.high, found.upwards) == (100, 10_000, True)
    assert found.at == pytest.approx(1000)  # half of the way, in powers of ten


def test_a_crossing_inside_the_noise_is_none() -> None:
    zero = [0.0] * 3
    noisy = paired([-30.0, 5.0, 29.0], zero)
    assert crossings([1, 2, 3], [noisy, noisy, paired(sure(9.0), zero)]) == []
    (found,) = crossings([1, 2, 3], [paired(sure(-9.0), zero), noisy, paired(sure(9.0), zero)])
    assert (found.low, found.high) == (1, 3)


def test_curves_that_fall_cross_downwards() -> None:
    zero = [0.0] * 3
    (found,) = crossings([1, 4], [paired(sure(5.0), zero), paired(sure(-5.0), zero)])
    assert not found.upwards
    assert found.at == pytest.approx(2.0)
