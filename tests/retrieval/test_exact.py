"""The exact search, next to NumPy's sort of all cosines and scikit-learn's brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from kakera.retrieval import exact
from kakera.retrieval.exact import lengths_of, nearest, unit_length


def some(rows: int, width: int = 16, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)


@pytest.fixture(params=[3, 100, 8192])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(exact, "BLOCK", request.param)
    monkeypatch.setattr(exact, "FIRST", min(request.param, 7))
    return request.param


def test_the_neighbours_are_those_of_scikit_learn(block: int) -> None:
    vectors, queries = some(500), some(9, seed=1)
    items, cosines, rows = nearest(unit_length(vectors), unit_length(queries), 5)
    theirs = NearestNeighbors(n_neighbors=5, metric="cosine", algorithm="brute").fit(vectors)
    distances, places = theirs.kneighbors(queries)
    np.testing.assert_array_equal(items, places)
    np.testing.assert_array_equal(rows, places)
    np.testing.assert_allclose(1 - cosines, distances, atol=1e-6)
    lengths = lengths_of(vectors)  # without a copy of the vectors
    np.testing.assert_array_equal(nearest(vectors, unit_length(queries), 5, lengths=lengths)[0], places)


def test_of_equal_cosines_the_first_item_comes_first(block: int) -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32)[[2, 0, 1]], [3, 30, 3], axis=0)
    items, cosines, _ = nearest(vectors, np.eye(4, dtype=np.float32)[:1], 6)
    assert items.tolist() == [[3, 4, 5, 6, 7, 8]]
    assert cosines.tolist() == [[1.0] * 6]


def test_what_is_left_out_by_its_number_is_missing_and_all_else_moves_up(block: int) -> None:
    vectors = unit_length(np.concatenate([some(40), some(40)]))  # each vector twice
    hidden = [np.array([number, number + 40]) for number in range(5)]
    items, _, _ = nearest(vectors, vectors[:5], 4, hidden=hidden)
    scores = (vectors[:5] @ vectors.T).astype(np.float64)
    for number, each in enumerate(hidden):
        scores[number, each] = -np.inf
    np.testing.assert_allclose(
        np.take_along_axis(scores, items, axis=1), -np.sort(-scores, axis=1)[:, :4], atol=1e-6
    )
    assert all(number not in row and number + 40 not in row for number, row in enumerate(items.tolist()))


def test_an_item_of_several_vectors_has_the_cosine_of_its_best_one(block: int) -> None:
    counts = np.array([1, 4, 20, 2, 3, 1, 9])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    vectors, queries = unit_length(some(counts.sum())), unit_length(some(3, seed=1))
    items, cosines, rows = nearest(vectors, queries, 4, starts=starts)
    stretched = vectors * np.random.default_rng(2).uniform(0.1, 9, (len(vectors), 1)).astype(np.float32)
    same = nearest(stretched, queries, 4, starts=starts, lengths=lengths_of(stretched))
    np.testing.assert_array_equal(same[0], items)
    np.testing.assert_array_equal(same[2], rows)
    owner = np.repeat(np.arange(len(counts)), counts)
    scores = queries @ vectors.T
    best = np.stack([scores[:, owner == item].max(axis=1) for item in range(len(counts))], axis=1)
    np.testing.assert_array_equal(items, np.argsort(-best, axis=1)[:, :4])
    np.testing.assert_allclose(cosines, -np.sort(-best, axis=1)[:, :4], atol=1e-6)
    np.testing.assert_array_equal(owner[rows], items)
    np.testing.assert_allclose(np.take_along_axis(scores, rows, axis=1), cosines, atol=1e-6)


def test_fewer_items_than_asked_for_leave_places_without_an_item() -> None:
    vectors = np.eye(3, dtype=np.float32)
    items, cosines, _ = nearest(vectors, vectors[:1], 5, hidden=[np.array([0])])
    assert items.tolist() == [[1, 2, -1, -1, -1]]
    assert cosines[0, 2:].tolist() == [-np.inf] * 3
    assert nearest(vectors[:0], vectors[:1], 2)[0].tolist() == [[-1, -1]]
    assert nearest(vectors, vectors[:0], 2)[0].shape == (0, 2)


def test_a_vector_of_zeros_has_a_cosine_of_0_with_all() -> None:
    vectors = unit_length(np.array([[0, 0], [3, 4], [-1, 0]], np.float32))
    items, cosines, _ = nearest(vectors, unit_length(np.array([[1, 0]], np.float32)), 3)
    assert items.tolist() == [[1, 0, 2]]
    np.testing.assert_allclose(cosines, [[0.6, 0.0, -1.0]], atol=1e-7)


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 8), st.integers(1, 9), st.integers(0, 1000))
def test_few_values_with_many_ties_are_sorted_as_by_numpy(
    rows: int, queries: int, count: int, block: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    vectors, asked = (random.integers(-1, 2, (n, 2)).astype(np.float32) for n in (rows, queries))
    before = exact.BLOCK, exact.FIRST
    exact.BLOCK, exact.FIRST = block, 1
    try:
        items, cosines, _ = nearest(vectors, asked, count)  # products of these numbers are exact
    finally:
        exact.BLOCK, exact.FIRST = before
    order = np.argsort(-(asked @ vectors.T), axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(items[:, : order.shape[1]], order)
    np.testing.assert_array_equal(
        cosines[:, : order.shape[1]], np.take_along_axis(asked @ vectors.T, order, 1)
    )


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1.0, 1e12, 1e25])
def test_the_length_of_a_vector_does_not_matter(scale: float) -> None:
    vectors = some(20).astype(np.float64)
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(unit_length((vectors * scale).astype(np.float32)), expected, atol=1e-6)
