"""The benchmark of graphs runs on a small index."""

from pathlib import Path

import pytest
from benchmarks.graph import measure, vectors

from kakera.retrieval import build_graphs, graph_search

pytest.importorskip("usearch", reason="usearch is not installed: pip install usearch")


def test_the_benchmark_of_graphs_measures_the_share_of_neighbours_that_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (build_graphs, graph_search):
        monkeypatch.setattr(module, "SMALL", 100)
    found = measure(tmp_path, 500)
    assert found["recall of other vectors"] > 0.9
    assert found["bytes"]["vectors"] > vectors(500, 0).nbytes
    assert found["bytes"]["graphs"] > 500 * 384
