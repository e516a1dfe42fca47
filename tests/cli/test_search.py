"""`kakera embed` and `kakera search` as a user runs them."""

import csv
import json
from pathlib import Path

import pytest

from kakera.cli.main import main
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from tests.small import folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    folder(tmp_path / "my pictures", count=6)
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=0), inputs).save("encoder")
    assert (
        main(["embed", "my pictures", "--init-from", "encoder", "--out", "the index", "--pool", "mean"]) == 0
    )
    assert capsys.readouterr().out.splitlines() == [
        "the index: 12 vectors of 12 files, 12 computed now",
        "next: kakera search 'the index' FILE --html search.html",
    ]
    return tmp_path


def test_a_table_and_a_line_about_the_query(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "the index", "my pictures/bag/0.png", "--top", "2"]) == 0
    out, error = capsys.readouterr()
    assert out.splitlines()[0].strip() == "my pictures/bag/0.png"
    rows = [line.split() for line in out.splitlines() if "0.9" in line]
    assert len(rows) == 2
    assert rows[0][-2] in ("bag", "boot")
    name = "my pictures/bag/0.png"
    assert error == f"kakera: {name}: in the index as {name}, left out; --include-query shows it\n"


def test_json_and_csv_have_the_same_matches(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "the index", "my pictures/bag", "--top", "3"]
    assert main([*words, "--json"]) == 0
    out, error = capsys.readouterr()
    found = json.loads(out)
    assert error == "kakera: 6 queries are in the index, left out; --include-query shows them\n"
    assert len(found) == 18
    assert [each["rank"] for each in found[:4]] == [1, 2, 3, 1]
    assert main([*words, "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [{k: str(v) if v is not None else "" for k, v in each.items()} for each in found] == rows


def test_a_region_and_a_page(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "the index", "my pictures/bag/0.png", "--region", "4,4,8,8", "--top", "4"]
    assert main([*words, "--html", "out/page.html"]) == 0
    assert "kakera: out/page.html: open it in a browser" in capsys.readouterr().err
    page = Path("out/page.html").read_text()
    assert page.count("<img") == 5
    assert "Left out, because it has the content of the query: my pictures/bag/0.png." in page


def test_what_changed_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my pictures/boot/0.png").unlink()
    assert main(["search", "the index", "my pictures/bag/0.png", "--top", "20"]) == 0
    assert "my pictures/boot/0.png: no longer there; run kakera embed again" in capsys.readouterr().err
    words = ["embed", "my pictures", "--init-from", "encoder", "--out", "the index", "--pool", "mean"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert (
        "11 vectors of 11 files, 0 computed now: 1 no longer there, dropped (my pictures/boot/0.png)" in said
    )


def test_an_unreadable_query_gives_exit_code_2_after_the_others(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.png").write_bytes(b"")
    assert main(["search", "the index", "broken.png", "my pictures/bag/0.png", "--json"]) == 2
    out, error = capsys.readouterr()
    assert len(json.loads(out)) == 10
    assert "kakera: broken.png: got an empty file" in error
    assert main(["search", "the index", "broken.png"]) == 2
    assert "kakera: broken.png: got an empty file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["embed", "my pictures"], "kakera embed: got no --init-from, expected a run folder"),
        (["embed", "my pictures", "--init-from", "encoder"], "kakera embed: got no --out, expected an .npz"),
        (["search", "the index"], "the following arguments are required: QUERY"),
        (["search", "the index", "a.png", "--region", "1,2"], "--region: got 1,2, expected four numbers"),
        (
            ["search", "the index", "a.png", "--json", "--csv"],
            "--json: got --csv as well, expected one format",
        ),
        (["search", "the index", "a.png", "--html", "b.png"], "--html: got b.png, expected a name ending in"),
        (["predict", "encoder", "a.png", "--page", "b.png"], "--page: got b.png, expected a name ending in"),
        (
            ["search", "nowhere", "a.png", "--html", "encoder/kakera.json/b.html"],
            "--html: got encoder/kakera",
        ),
        (["search", "nowhere", "a.png"], "nowhere: got no such file or folder, expected an index"),
        (["search", "the index", "a.png", "--init-from", "x"], "x: got"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
