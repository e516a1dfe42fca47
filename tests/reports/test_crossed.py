import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kakera.reports.crossed import crossed
from kakera.reports.intervals import interval, paired


def test_one_draw_has_the_t_interval_over_the_files() -> None:
    values = np.random.default_rng(0).normal(0.1, 1, size=(1, 40))
    expected = stats.ttest_1samp(values[0], 0)
    low, high = expected.confidence_interval(0.95)
    found = crossed(values)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(expected.pvalue)


def test_files_that_are_all_alike_leave_the_t_interval_over_the_draws() -> None:
    draws = [0.5, 0.7, 0.4]
    found, expected = crossed(np.repeat(np.array(draws)[:, None], 30, axis=1)), interval(draws)
    assert (found.mean, found.half) == pytest.approx((expected.mean, expected.half))
    assert found.p == pytest.approx(paired(draws, [0.0] * 3).p)


def test_draws_that_are_all_alike_leave_the_t_interval_over_the_files() -> None:
    row = np.random.default_rng(1).normal(size=25)
    found, alone = crossed(np.tile(row, (3, 1))), crossed(row[None])
    assert (found.mean, found.half, found.p) == pytest.approx((alone.mean, alone.half, alone.p))


def test_the_parts_are_those_of_the_two_way_table() -> None:
    values = np.random.default_rng(2).normal(size=(3, 8)) + np.array([[0.0], [1.0], [3.0]])
    count, mean = values.size, values.mean()
    of_draws = sum(8 * (row.mean() - mean) ** 2 for row in values) / 2
    of_files = sum(3 * (column.mean() - mean) ** 2 for column in values.T) / 7
    total = sum((value - mean) ** 2 for value in values.ravel())
    rest = (total - 2 * of_draws - 7 * of_files) / 14
    parts = (of_draws - rest) / count, max(of_files, rest) / count
    half = math.hypot(*(math.sqrt(v) * stats.t.ppf(0.975, f) for v, f in zip(parts, (2, 7), strict=True)))
    assert crossed(values).half == pytest.approx(half)


def test_the_interval_holds_the_mean_of_new_draws_and_new_files() -> None:
    random, held, alone, tables = np.random.default_rng(3), 0, 0, 400
    for _ in range(tables):
        draws, files = random.normal(0, 0.01, (3, 1)), random.normal(0, 0.4, (1, 100))
        values = draws + files + random.normal(0, 0.2, (3, 100))
        found, by_draw = crossed(values), interval(values.mean(axis=1).tolist())
        held, alone = held + (found.low <= 0 <= found.high), alone + (by_draw.low <= 0 <= by_draw.high)
    assert 0.925 * tables < held < 0.985 * tables
    assert alone < 0.8 * tables  # an interval over the draws alone does not know of other files


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(3, 30))
def test_the_p_value_is_below_5_per_cent_where_the_interval_leaves_0_out(
    seed: int, draws: int, files: int
) -> None:
    random = np.random.default_rng(seed)
    found = crossed(random.normal(random.uniform(0, 1), 1, size=(draws, files)))
    if found.p > 2.0 ** (1 - files):
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_equal_differences_are_as_sure_as_a_sign_test() -> None:
    found = crossed(np.ones((3, 5)))
    assert found.p == stats.binomtest(5, 5).pvalue
    assert crossed(np.zeros((3, 5))).p == 1.0
    assert crossed(np.ones((3, 1))).half == math.inf
