"""`kakera embed --graph`: search without reading all vectors, with the recall in the answer."""

import json
from pathlib import Path

import pytest

import kakera
from kakera.cli.main import main
from kakera.commands import search as search_module
from kakera.commands.build_index import build_index
from kakera.commands.search import search
from kakera.errors import DataError, OptionError
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from kakera.retrieval import build_graphs, graph_search
from kakera.retrieval.graph_search import StoredVectors
from tests.small import folder

pytest.importorskip("usearch", reason="usearch is not installed: pip install usearch")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of 40 pictures; blocks of more than 50 vectors have graphs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    for module in (build_graphs, graph_search):
        monkeypatch.setattr(module, "SMALL", 50)
    folder(tmp_path / "pictures", count=40)
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=0), inputs).save("encoder")
    return tmp_path


def test_a_graph_answers_as_the_comparison_of_all_vectors_and_only_this_one_opens_the_index(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pictures/bag/copy.png").write_bytes(Path("pictures/bag/0.png").read_bytes())
    assert build_index("pictures", init_from="encoder", out="index", graph=True).graph is not None
    queries = ["pictures/bag/0.png", "pictures/boot/3.png"]
    exact = search("index", queries, exact=True)
    assert exact.graph is None
    monkeypatch.setattr(search_module, "open_index", None)
    found = search("index", queries)
    assert found.graph is not None
    for mine, theirs in zip(found.matches, exact.matches, strict=True):
        assert [match.file for match in mine] == [match.file for match in theirs]
        assert [match.cosine for match in mine] == pytest.approx([match.cosine for match in theirs], abs=1e-6)
    left_out = ("pictures/bag/0.png", "pictures/bag/copy.png"), ("pictures/boot/3.png",)
    assert found.left_out == exact.left_out == left_out


def test_an_updated_index_keeps_its_graph(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="index", graph=True)
    Path("pictures/bag/0.png").rename("moved.png")
    again = build_index("pictures", init_from="encoder", out="index")
    assert again.graph is not None
    found = search("index", "moved.png")
    assert found.graph is not None
    assert found.left_out == ((),)
    assert len(found.matches[0]) == 10


def test_a_stopped_graph_leaves_an_index_that_is_searched_exactly(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build_graphs, "write_graph", stop)
        with pytest.raises(KeyboardInterrupt):
            build_index("pictures", init_from="encoder", out="index", graph=True)
    assert search("index", "pictures/bag/0.png").graph is None
    assert build_index("pictures", init_from="encoder", out="index").computed == 0
    assert search("index", "pictures/bag/0.png").graph is not None


def test_dropped_files_near_the_query_take_no_place_among_the_matches(here: Path) -> None:
    """Their vectors stay in their block until half of it is unused, so the graph still finds them."""
    build_index("pictures", init_from="encoder", out="index", graph=True)
    query = "pictures/bag/0.png"
    near = [match.file for match in search("index", query, top=38, exact=True).matches[0]]
    for name in near:
        Path(name).unlink()
    build_index("pictures", init_from="encoder", out="index")
    found, exact = (search("index", query, top=2, exact=exact).matches[0] for exact in (False, True))
    assert len(StoredVectors(Path("index")).block(0)) == 80
    assert [match.file for match in found] == [match.file for match in exact]
    assert len(found) == 2


def test_more_matches_than_the_index_has_rows_are_all_rows(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="index", graph=True)
    for exact in (False, True):
        found = search("index", "pictures/bag/0.png", top=10**12, include_query=True, exact=exact)
        assert len({match.file for match in found.matches[0]}) == len(found.matches[0]) == 80


def test_the_command_states_the_recall(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "pictures", "--init-from", "encoder", "--out", "index", "--graph"]) == 0
    line = "approximate: the graph of the index finds 100.0 % of the 10 nearest, measured with 80"
    assert line in capsys.readouterr().out
    assert main(["search", "index", "pictures/bag/0.png", "--json", "--html", "page.html"]) == 0
    output = capsys.readouterr()
    assert len(json.loads(output.out)) == 10
    assert line in output.err
    assert Path("page.html").read_text().count("<img") > 10
    assert main(["search", "index", "pictures/bag/0.png", "--exact"]) == 0
    assert "approximate" not in capsys.readouterr().err


@pytest.mark.parametrize("options", [{"out": "index.npz"}, {"out": "index", "tokens": True}])
def test_an_index_that_cannot_have_a_graph_is_refused_before_anything_is_computed(
    options: dict[str, object], here: Path
) -> None:
    with pytest.raises(OptionError, match="--graph"):
        kakera.build_index("pictures", init_from="encoder", graph=True, **options)
    assert not Path("index").exists()


def test_a_damaged_graph_is_one_line_and_exact_search_still_works(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_index("pictures", init_from="encoder", out="index", graph=True)
    [path] = Path("index/graphs").glob("*.usearch")
    path.write_bytes(path.read_bytes()[:1000])
    assert main(["search", "index", "pictures/bag/0.png"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert len(search("index", "pictures/bag/0.png", exact=True).matches[0]) == 10
    with pytest.raises(DataError, match="embed command again"):
        search("index", "pictures/bag/0.png")
    assert build_index("pictures", init_from="encoder", out="index").computed == 0
    assert len(search("index", "pictures/bag/0.png").matches[0]) == 10
