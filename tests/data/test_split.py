import math
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kakera.data.split import few, strata, stratified
from kakera.errors import DataError
from tests.refusals import refused

seeds = st.integers(0, 2**31)
class_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=8)
TEN = np.arange(200) % 10


def shuffled(sizes: list[int], seed: int) -> np.ndarray:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).permutation(labels)


def counts(labels: np.ndarray, codes: np.ndarray, part: str, classes: int) -> np.ndarray:
    return np.bincount(labels[codes == part], minlength=classes)


@given(class_sizes, st.floats(0, 0.99), st.floats(0, 0.99), seeds)
@example([4, 39], 0.75, 0.2, 0)
@example([2] * 20 + [60], 0.0, 0.9, 0)
def test_every_class_keeps_a_picture_for_training_and_no_part_is_too_large_by_one(
    sizes: list[int], val: float, test: float, seed: int
) -> None:
    if val + test >= 1:
        val, test = val / 2, test / 2
    labels = shuffled(sizes, seed)
    codes = stratified(labels, {"val": val, "test": test}, seed)
    assert set(codes) <= {"train", "val", "test"}
    assert (counts(labels, codes, "train", len(sizes)) >= 1).all()
    for part, share in (("val", val), ("test", test)):
        assert (counts(labels, codes, part, len(sizes)) <= np.ceil(share * np.array(sizes) + 1e-9)).all()


@given(class_sizes, st.floats(0, 0.5), seeds)
@example([1] * 4 + [3] * 6, 0.3, 0)
def test_a_part_has_its_share_of_all_and_within_one_of_each_class(
    sizes: list[int], share: float, seed: int
) -> None:
    labels = shuffled(sizes, seed)
    found = counts(labels, stratified(labels, {"test": share}, seed), "test", len(sizes))
    divided = np.array([size if size > 1 else 0 for size in sizes])
    assert (np.abs(found - share * divided) <= 1).all()
    assert abs(found.sum() - share * divided.sum()) <= 0.5 + 1e-6


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_round_shares_of_equal_classes_are_exact(part: str) -> None:
    codes = stratified(TEN, {"val": 0.1, "test": 0.2}, 0)
    wanted = {"train": 14, "val": 2, "test": 4}[part]
    assert counts(TEN, codes, part, 10).tolist() == [wanted] * 10


def test_a_class_of_one_is_not_divided() -> None:
    labels = np.array([0] * 9 + [1])
    assert all(stratified(labels, {"test": 0.9}, seed)[9] == "train" for seed in range(20))


def test_pictures_without_a_label_are_divided_as_a_class() -> None:
    labels = np.array([-1] * 50 + [0] * 50)
    codes = stratified(labels, {"test": 0.2}, 0)
    assert [(codes[:50] == "test").sum(), (codes[50:] == "test").sum()] == [10, 10]


def test_the_draw_depends_on_the_seed_alone() -> None:
    shares = {"val": 0.1, "test": 0.2}
    assert np.array_equal(stratified(TEN, shares, 3), stratified(TEN.copy(), shares, 3))
    drawn = {tuple(stratified(TEN, shares, seed)) for seed in range(10)}
    assert len(drawn) == 10


def test_every_picture_is_as_likely_to_be_held_back() -> None:
    held = np.sum([stratified(TEN, {"test": 0.2}, seed) == "test" for seed in range(400)], axis=0)
    sigma = math.sqrt(400 * 0.2 * 0.8)
    assert np.abs(held - 80).max() < 5 * sigma
    assert len(set(held)) > 10


@pytest.mark.parametrize("shares", [{"test": 1.0}, {"val": 0.5, "test": 0.5}, {"val": -0.1}, {"test": 7}])
def test_shares_that_leave_nothing_to_train_on_are_refused(shares: dict[str, float]) -> None:
    with refused("split", got=str(next(iter(shares.values()))).rstrip("0."), expected="below 1"):
        stratified(TEN, shares, 0)


def test_of_several_labels_the_rarest_counts() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0]], dtype=bool)
    assert strata(labels).tolist() == [1, 0, 2, -1, 1]


def multi_label(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((300, 4)) < [0.9, 0.5, 0.1, 0.02]


@pytest.mark.parametrize("seed", range(5))
def test_the_rarest_of_several_labels_is_in_every_part(seed: int) -> None:
    labels = multi_label(seed)
    labels[:4, 3] = True
    codes = stratified(labels, {"test": 0.3}, seed)
    assert labels[codes == "train", 3].any()
    assert labels[codes == "test", 3].any()


@given(class_sizes, st.data(), seeds)
def test_a_few_are_as_equal_in_number_as_the_classes_allow(
    sizes: list[int], data: st.DataObject, seed: int
) -> None:
    labels = np.concatenate([shuffled(sizes, seed), np.full(5, -1)])
    count = data.draw(st.integers(1, sum(sizes)))
    chosen = few(labels, count, seed)
    assert len(set(chosen.tolist())) == count
    assert chosen.tolist() == sorted(chosen.tolist())
    assert (labels[chosen] >= 0).all()
    found = np.bincount(labels[chosen], minlength=len(sizes))
    for one, size in zip(found, sizes, strict=True):
        assert one == size or one >= found.max() - 1


@given(class_sizes, st.data(), seeds)
def test_fewer_are_among_the_few(sizes: list[int], data: st.DataObject, seed: int) -> None:
    labels = shuffled(sizes, seed)
    small, large = sorted(data.draw(st.tuples(*[st.integers(1, len(labels))] * 2)))
    assert set(few(labels, small, seed)) <= set(few(labels, large, seed))


def test_the_few_depend_on_the_seed_alone() -> None:
    assert np.array_equal(few(TEN, 30, 3), few(TEN.copy(), 30, 3))
    assert len({tuple(few(TEN, 30, seed)) for seed in range(10)}) == 10


def test_which_classes_get_one_more_depends_on_the_seed() -> None:
    assert len({tuple(TEN[few(TEN, 3, seed)]) for seed in range(20)}) > 10


def test_the_few_are_other_pictures_than_those_a_split_would_take() -> None:
    held = stratified(TEN, {"test": 0.5}, 0) == "test"
    assert 20 < held[few(TEN, 100, 0)].sum() < 80


@pytest.mark.parametrize("count", [1, 4, 40])
def test_the_few_of_several_labels_are_spread_over_the_rarest(count: int) -> None:
    labels = multi_label(0)
    chosen = few(labels, count, 0)
    spread = Counter(strata(labels)[chosen].tolist())
    available: Any = Counter(strata(labels).tolist())
    assert (-1 in spread) == (count > 4)  # with none of the four classes: a class too, the last of a round
    assert all(n == available[c] or n >= max(spread.values()) - 1 for c, n in spread.items())


@pytest.mark.parametrize("count", [0, -1, 201])
def test_more_than_are_labelled_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"labels: got a request for {count}, expected between 1 and 200"):
        few(TEN, count, 0)


def test_twenty_thousand_classes_are_divided_as_few_are() -> None:
    classes = 20_000
    labels = np.random.default_rng(0).integers(0, classes, 10 * classes)
    began = time.process_time()
    parts = stratified(labels, {"val": 0.1, "test": 0.2}, 0)
    assert time.process_time() - began < 2  # a pass over all files for each class takes 8 s
    for name, share in (("val", 0.1), ("test", 0.2)):
        counts = np.bincount(labels[parts == name], minlength=classes)
        assert abs(counts - share * np.bincount(labels, minlength=classes)).max() <= 1
