"""Pairs, groups and clusters of vectors beside plain loops and scipy."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kakera.retrieval import pairs as module
from kakera.retrieval.clusters import clusters_of
from kakera.retrieval.exact import unit_length
from kakera.retrieval.pairs import best_pairs, groups_of, neighbour_limit, pairs_above


@pytest.mark.parametrize("block", [7, 2048])
def test_pairs_are_those_of_all_products(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    random = np.random.default_rng(0)
    vectors, others = (unit_length(random.normal(size=(40, 5))) for _ in range(2))
    for second in (None, others):
        found, cosines = pairs_above(vectors, 0.5, second)
        whole = vectors @ (vectors if second is None else second).T
        expected = [(i, j) for i in range(40) for j in range(i + 1, 40) if whole[i, j] > 0.5]
        assert [tuple(pair) for pair in found.tolist()] == expected
        np.testing.assert_allclose(cosines, [whole[pair] for pair in expected], rtol=1e-6)


def test_above_the_limit_each_vector_has_about_so_many_neighbours() -> None:
    vectors = unit_length(np.random.default_rng(1).normal(size=(400, 8)))
    found, _ = pairs_above(vectors, neighbour_limit(vectors, 10))
    assert 8 < 2 * len(found) / 400 < 14


def test_the_best_pairs_of_each_vector_are_kept() -> None:
    random = np.random.default_rng(2)
    every = np.array([(i, j) for i in range(20) for j in range(i + 1, 20)])
    cosines = random.random(len(every)).astype(np.float32)
    expected = set[int]()
    for row in range(20):
        own = [number for number, pair in enumerate(every) if row in pair]
        expected |= set(sorted(own, key=lambda number: -cosines[number])[:3])
    found, values = best_pairs(every, cosines, 3)
    assert found.tolist() == every[sorted(expected)].tolist()
    assert values.tolist() == cosines[sorted(expected)].tolist()


def test_groups_are_the_connected_components_of_scipy() -> None:
    links = np.random.default_rng(3).integers(0, 60, (35, 2))
    graph = coo_array((np.ones(len(links)), links.T), shape=(60, 60))
    _, own = connected_components(graph, directed=False)
    expected = sorted(np.flatnonzero(own == each).tolist() for each in range(60) if (own == each).sum() > 1)
    assert sorted(groups_of(60, map(tuple, links.tolist()))) == expected


def test_clusters_that_are_far_apart_are_found() -> None:
    random = np.random.default_rng(4)
    truth = np.arange(120) % 4
    vectors = unit_length(np.eye(4)[truth] + 0.1 * random.normal(size=(120, 4)))
    found = clusters_of(vectors, 4)
    assert len({(each, other) for each, other in zip(truth, found, strict=True)}) == 4


def test_equal_vectors_are_one_cluster() -> None:
    assert set(clusters_of(np.ones((5, 1), np.float32), 3)) == {0}
