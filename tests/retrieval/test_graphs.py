"""Approximate search by graphs: nearly the neighbours of NumPy, in an index that grows."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.retrieval import build_graphs, graph_search
from kakera.retrieval import folder as folders
from kakera.retrieval.blocks import Block, Blocks, read_blocks
from kakera.retrieval.build_graphs import write_graphs
from kakera.retrieval.folder import write_folder
from kakera.retrieval.graph_search import StoredVectors, graph_info
from kakera.retrieval.graphs import open_graph
from kakera.retrieval.index import IndexInfo, empty_rows
from kakera.retrieval.mapped import map_arrays

pytest.importorskip("usearch", reason="usearch is not installed: pip install usearch")
INPUTS = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}
INFO = IndexInfo("0f", "runs/mae", "pictures", "/", "pictures", "mean", False, INPUTS, (2, 2))
WIDTH = 32


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of more than 100 vectors have graphs, and are full with 400."""
    monkeypatch.setattr(build_graphs, "SMALL", 100)
    monkeypatch.setattr(graph_search, "SMALL", 100)
    monkeypatch.setattr(folders, "LARGE", 400 * WIDTH * 4)


def clusters(count: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((20, WIDTH))
    return (centres[random.integers(0, 20, count)] + random.standard_normal((count, WIDTH))).astype(
        np.float32
    )


def write(place: Path, vectors: NDArray[np.float32], first: int = 0) -> None:
    """Write an index of these vectors; those before `first` are in it already."""
    rows = empty_rows(len(vectors))
    rows["file"] = np.array([f"{number}.png" for number in range(len(vectors))])
    rows["key"][:, 0], rows["key"][:, 1], rows["key"][:, 2] = (
        np.arange(len(vectors)) % 256,
        np.arange(len(vectors)) >> 8,
        1,
    )
    rows["content"] = rows["key"]
    blocks = Blocks(read_blocks(place / "vectors", "0f"))
    fields = [rows[name][first:] for name in ("key", "start", "end", "columns")]
    blocks.add(Block(*fields, values=vectors[first:]))
    _, block, row = blocks.places(rows["key"])
    write_folder(place, INFO, rows | {"block": block, "row": row}, blocks, "0f")


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def names(place: Path, suffix: str = "usearch") -> set[str]:
    return {path.name for path in (place / "graphs").glob(f"*.{suffix}")}


def test_nearly_all_neighbours_are_those_of_numpy_and_their_cosines_exact(tmp_path: Path) -> None:
    vectors, queries = clusters(1000), clusters(50, 1)
    write(tmp_path, vectors)
    about = write_graphs(tmp_path)
    stored = StoredVectors(tmp_path)
    assert len(stored.names) == 3
    places, cosines = stored.approximate(unit(queries), 10, about.expansion)
    exact = unit(queries) @ unit(vectors).T
    best = -np.sort(-exact, axis=1)[:, :10]
    np.testing.assert_allclose(stored.exact(unit(queries), 10)[1], best, atol=1e-6)
    found = (cosines >= best[:, -1:] - 1e-6).mean()
    assert found > 0.97
    np.testing.assert_allclose(
        unit(stored.gather(places[:, 0])) @ unit(queries).T, exact.T[np.argmax(exact, 1)], atol=1e-6
    )
    assert about.recall > 0.97
    assert graph_info(StoredVectors(tmp_path).content) == about


def test_the_recall_is_that_of_a_comparison_with_all_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_graphs, "EXPANSIONS", (1,))
    monkeypatch.setattr(graph_search, "MARGIN", 1)
    monkeypatch.setattr(graph_search, "MORE", 0)
    monkeypatch.setattr(folders, "LARGE", 1 << 20)
    vectors = np.random.default_rng(0).standard_normal((3000, WIDTH)).astype(np.float32)
    write(tmp_path, vectors)
    about = write_graphs(tmp_path)
    chosen = np.sort(np.random.default_rng(0).permutation(3000)[:200])
    stored = StoredVectors(tmp_path)
    cosines = unit(stored.block(0)[:]) @ unit(stored.block(0)[:]).T
    np.fill_diagonal(cosines, -2)
    places, _ = stored.approximate(unit(stored.block(0)[chosen]), 11, 1)
    right = [
        len({*np.argsort(-cosines[row])[:10].tolist()} & {*mine.tolist()})
        for row, mine in zip(chosen.tolist(), places, strict=True)
    ]
    assert 0.2 < about.recall < 0.99
    assert about.recall == pytest.approx(sum(right) / 2000)


@pytest.mark.parametrize("queries", [1, 2])
def test_no_row_stands_in_the_places_of_missing_neighbours(queries: int, tmp_path: Path) -> None:
    vectors = clusters(110)
    write(tmp_path, vectors)
    write_graphs(tmp_path)
    [name] = names(tmp_path)
    rows, cosines = open_graph(tmp_path, Path(name).stem).nearest(vectors[:queries], 120, 256)
    for mine, near in zip(rows, cosines, strict=True):
        assert sorted(mine[mine >= 0].tolist()) == [*range(110)]
        assert (np.isfinite(near) == (mine >= 0)).all()


def test_all_copies_of_a_vector_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LARGE", 1 << 24)
    distinct = clusters(40)
    vectors = np.repeat(distinct, 60, axis=0) * np.tile(np.float32([1, 2, 0.5]), 800)[:, None]
    write(tmp_path, vectors)
    about = write_graphs(tmp_path)
    stored = StoredVectors(tmp_path)
    assert len(stored.graph(0).tree) == 40
    places, cosines = stored.approximate(unit(distinct), 60, about.expansion)
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    rows = map_arrays(stored.table, ["row", "file"])
    file = {int(row): int(str(name)[:-4]) for row, name in zip(rows["row"], rows["file"], strict=True)}
    for query, mine in enumerate(places):
        assert sorted(file[place] for place in mine.tolist()) == [*range(60 * query, 60 * query + 60)]


def test_the_candidates_have_the_files_of_the_neighbours_and_all_of_the_same_content(tmp_path: Path) -> None:
    vectors = clusters(1000)
    write(tmp_path, vectors)
    write_graphs(tmp_path)
    content = np.zeros((1, 16), np.uint8)
    content[0, :3] = 700 % 256, 700 >> 8, 1
    found = StoredVectors(tmp_path).candidates(vectors[[3]], content, 5)
    files = found.rows["file"].tolist()
    assert {"3.png", "700.png"} <= {*files}
    assert len(files) < 40
    for file, vector in zip(files, found.vectors, strict=True):
        np.testing.assert_array_equal(vector, vectors[int(file[:-4])])


def test_an_index_that_grows_keeps_the_graphs_of_its_full_blocks(tmp_path: Path) -> None:
    vectors = clusters(1300)
    write(tmp_path, vectors[:800])
    write_graphs(tmp_path)
    before = names(tmp_path)
    times = {name: (tmp_path / "graphs" / name).stat().st_mtime_ns for name in before}
    write(tmp_path, vectors, 800)
    write_graphs(tmp_path)
    assert before < names(tmp_path)
    assert times == {name: (tmp_path / "graphs" / name).stat().st_mtime_ns for name in before}
    found = StoredVectors(tmp_path).candidates(vectors[[1200]], np.zeros((1, 16), np.uint8), 1)
    assert "1200.png" in found.rows["file"].tolist()


def test_graphs_of_blocks_that_are_gone_are_deleted(tmp_path: Path) -> None:
    write(tmp_path, clusters(800))
    write_graphs(tmp_path)
    before = names(tmp_path)
    for path in (tmp_path / "vectors").iterdir():
        path.unlink()
    write(tmp_path, clusters(400, 5))
    write_graphs(tmp_path)
    assert len(names(tmp_path)) == len(names(tmp_path, "npz")) == 1
    assert not before & names(tmp_path)


@pytest.mark.parametrize("damage", ["cut off", "changed", "missing", "description", "empty"])
def test_a_damaged_graph_is_refused_in_one_line_and_built_again(damage: str, tmp_path: Path) -> None:
    vectors = clusters(400)
    write(tmp_path, vectors)
    write_graphs(tmp_path)
    [name] = names(tmp_path)
    path = tmp_path / "graphs" / name
    content = path.read_bytes()
    if damage == "cut off":
        path.write_bytes(content[:-9])
    elif damage == "changed":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif damage == "missing":
        path.unlink()
    elif damage == "description":
        path.with_suffix(".npz").write_bytes(b"PK")
    else:
        path.write_bytes(b"")
    with pytest.raises(
        DataError, match=r"a missing or damaged graph, expected a whole one; run the same"
    ) as error:
        StoredVectors(tmp_path).candidates(vectors[:1], np.zeros((1, 16), np.uint8), 5)
    assert "\n" not in str(error.value)
    write_graphs(tmp_path)
    assert len(open_graph(tmp_path, path.stem, whole=True).tree) == 400
    assert len(StoredVectors(tmp_path).candidates(vectors[:1], np.zeros((1, 16), np.uint8), 5)) >= 5


def test_one_changed_byte_anywhere_is_found_when_the_whole_graph_is_compared(tmp_path: Path) -> None:
    write(tmp_path, clusters(400))
    write_graphs(tmp_path)
    [name] = names(tmp_path)
    path = tmp_path / "graphs" / name
    content = path.read_bytes()
    for place in range(0, len(content), 997):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DataError, match="damaged graph"):
            open_graph(tmp_path, path.stem, whole=True)


def test_small_blocks_need_no_graph(tmp_path: Path) -> None:
    vectors = clusters(90)
    write(tmp_path, vectors)
    assert write_graphs(tmp_path).recall == 1
    assert not names(tmp_path)
    found = StoredVectors(tmp_path).candidates(vectors[:1], np.zeros((1, 16), np.uint8), 3)
    exact = np.argsort(-(unit(vectors[:1]) @ unit(vectors).T)[0])[:3]
    assert {*found.rows["file"].tolist()} >= {f"{row}.png" for row in exact}


def test_full_blocks_stay_and_small_ones_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MANY", 3)
    vectors = clusters(1000)
    write(tmp_path, vectors[:400])
    [full] = json.loads((tmp_path / "index.json").read_text())["blocks"]
    for count in range(450, 700, 50):
        write(tmp_path, vectors[:count], count - 50)
        blocks = json.loads((tmp_path / "index.json").read_text())["blocks"]
        assert full in blocks
        assert len(blocks) <= 4
    found = StoredVectors(tmp_path)
    assert sum(len(found.block(number)) for number in range(len(found.names))) == 650


def test_arrays_that_cannot_be_mapped_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "compressed.npz", a=np.arange(5))
    np.savez(tmp_path / "objects.npz", a=np.array([{}], object))
    np.savez(tmp_path / "whole.npz", a=np.arange(500))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:300])
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as file:
        file.writestr("a.npy", "text")
    for name in ("compressed", "objects", "cut", "text", "missing"):
        with pytest.raises(DataError, match="cut off, or of another kind"):
            map_arrays(tmp_path / f"{name}.npz", ["a"])
    np.testing.assert_array_equal(map_arrays(tmp_path / "whole.npz", ["a"])["a"], np.arange(500))
    with pytest.raises(DataError, match="another kind"):
        map_arrays(tmp_path / "whole.npz", ["b"])
