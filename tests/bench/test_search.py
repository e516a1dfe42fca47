"""The case `search`: every library finds the same neighbours."""

from pathlib import Path

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from kakera.bench.bench import bench
from kakera.bench.search import search_vectors


def test_all_contenders_find_the_neighbours_of_scikit_learn(tmp_path: Path) -> None:
    work = search_vectors(tmp_path, vectors=3000, width=24, queries=7)
    assert work.details is not None
    assert set(work.details["same_neighbours"].values()) == {1.0}
    assert "scikit-learn" in work.details["same_neighbours"]
    assert {"faiss"} <= {*work.not_installed, *work.details["same_neighbours"]}
    random = np.random.default_rng(0)
    stored, asked = (random.standard_normal((count, 24), dtype=np.float32) for count in (3000, 7))
    expected = np.argsort(-cosine_similarity(asked, stored), axis=1)[:, :10]
    ours = next(each for each in work.contenders if each.name == "kakera").work()
    np.testing.assert_array_equal(ours[0], expected)


def test_the_case_runs_on_its_smallest_sizes() -> None:
    found = bench(["search"], rounds=1, quick=True, say=lambda line: None)
    assert found.cases["search"]["results"]["kakera"] > 0
    assert found.cases["search"]["ratios"]["kakera"]["scikit-learn"][0] > 0
