"""Graphs and mapped tables with damage: one line instead of a crash, and the state of small indexes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from kakera.errors import DataError
from kakera.retrieval import build_graphs, graph_search, graphs
from kakera.retrieval.build_graphs import write_graphs
from kakera.retrieval.graph_search import StoredVectors, graph_info
from kakera.retrieval.graphs import open_graph, write_graph
from tests.retrieval.test_graphs import clusters, write

pytest.importorskip("usearch", reason="usearch is not installed: pip install usearch")
NONE = np.zeros((1, 16), np.uint8)


@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_the_recall_of_an_index_with_few_vectors_is_one(count: int, tmp_path: Path) -> None:
    write(tmp_path, clusters(count))
    assert write_graphs(tmp_path).recall == 1


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {"expansion": 0, "recall": 1.0, "queries": 2},
        {"expansion": 1e30, "recall": 1.0, "queries": 2},
        {"expansion": float("inf"), "recall": 1.0, "queries": 2},
        {"expansion": 64, "recall": float("nan"), "queries": 2},
        {"expansion": 64, "recall": 1.5, "queries": 2},
    ],
)
def test_a_graph_entry_that_cannot_be_is_none(entry: object) -> None:
    assert graph_info({"graph": entry}) is None


def test_a_changed_graph_is_compared_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search in a damaged graph ends the process, so damage between the pieces has to be found."""
    monkeypatch.setattr(graphs, "SAMPLES", 2)
    write_graph(tmp_path, "0f", clusters(1000))
    path = tmp_path / "graphs" / "0f.usearch"
    content, times = path.read_bytes(), path.stat()
    assert len(content) > 20_000
    path.write_bytes(content[:9000] + bytes([content[9000] ^ 1]) + content[9001:])
    with pytest.raises(DataError, match="damaged graph"):
        open_graph(tmp_path, "0f")
    path.write_bytes(content)
    assert len(open_graph(tmp_path, "0f").tree) == 1000
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    monkeypatch.setattr(graphs, "_checksum_of", None)  # as written: not read as a whole
    assert len(open_graph(tmp_path, "0f").tree) == 1000


def test_temporary_files_of_a_stopped_graph_are_deleted(tmp_path: Path) -> None:
    write(tmp_path, clusters(20))
    (tmp_path / "graphs").mkdir()
    for name in (".0f.usearch.0f0f0f0f", ".0f.npz.0f0f0f0f", "0f.usearch"):
        (tmp_path / "graphs" / name).write_bytes(b"0")
    write_graphs(tmp_path)
    assert not [*(tmp_path / "graphs").iterdir()]


@pytest.mark.parametrize("name", ["file", "block", "row", "label", "lengths"])
def test_a_damaged_table_of_rows_is_one_line(name: str, tmp_path: Path) -> None:
    vectors = clusters(90)
    write(tmp_path, vectors)
    write_graphs(tmp_path)
    table = tmp_path / json.loads((tmp_path / "index.json").read_text())["rows"]
    with np.load(table) as file:
        arrays = {each: file[each] for each in file.files}
    if name == "lengths":
        arrays["part"] = arrays["part"][:-1]
    elif name in ("block", "row"):
        arrays[name][:] = 0x7FFF
    else:
        width = arrays[name].dtype.itemsize // 4 or 1
        text = np.full((90, width), 0x110000, np.uint32)
        arrays[name] = text.view(f"U{width}")[:, 0]
    arrays["content"][3] = 9
    query = np.full((1, 16), 9, np.uint8)
    from kakera.retrieval.files import write_arrays

    with table.open("wb") as file:
        write_arrays(file, {each: arrays[each] for each in arrays if each != "kakera"}, {})
    with pytest.raises(DataError, match=r"damaged index \(its table of rows") as error:
        StoredVectors(tmp_path).candidates(vectors[:1], query, 5)
    assert "\n" not in str(error.value)


def test_a_missing_block_is_computed_again_by_the_same_command(tmp_path: Path) -> None:
    write(tmp_path, clusters(90))
    write_graphs(tmp_path)
    [path] = (tmp_path / "vectors").iterdir()
    path.unlink()
    with pytest.raises(
        DataError, match=rf"damaged file {path.name}.*run the same kakera embed command again"
    ):
        StoredVectors(tmp_path).candidates(clusters(1), NONE, 5)


def test_vectors_of_zeros_are_found_with_cosine_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (build_graphs, graph_search):
        monkeypatch.setattr(module, "SMALL", 50)
    vectors = np.abs(clusters(200))
    vectors[::4] = 0
    write(tmp_path, vectors)
    about = write_graphs(tmp_path)
    stored = StoredVectors(tmp_path)
    queries = np.concatenate([vectors[1:2] / np.linalg.norm(vectors[1]), vectors[:1]])
    places, cosines = stored.approximate(queries, 200, about.expansion)
    exact = stored.exact(queries, 200)[1]
    assert sorted(places[0].tolist()) == [*range(200)]
    np.testing.assert_allclose(cosines[0], exact[0], atol=1e-6)
    np.testing.assert_allclose(cosines[1][places[1] >= 0], 0, atol=1e-6)
