"""`kakera curate` as a user runs it."""

import csv
from pathlib import Path

import pytest

from kakera.cli.main import main
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from tests.small import folder

WORDS = ["curate", "my pictures", "--init-from", "encoder", "--out", "the findings"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    folder(tmp_path / "my pictures", count=6)
    copy = tmp_path / "my pictures" / "bag" / "again, 1.png"
    copy.write_bytes((tmp_path / "my pictures" / "bag" / "1.png").read_bytes())
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=0), inputs).save("encoder")
    return tmp_path


def test_findings_and_a_summary(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--no-mirrored", "--apply", "clean.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("copies: 1 group, 1 file to drop (1 exact)") for line in lines)
    assert "clean.csv: 12 files, 1 copy left out, 0 labels replaced" in lines
    with Path("the findings", "findings.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == ["file", "part", "label", "kind", "group", "score", "suggestion"]
    named = {row["file"] for row in rows if row["kind"] == "exact"}
    assert named == {"my pictures/bag/1.png", "my pictures/bag/again, 1.png"}
    assert main(["finetune", "clean.csv", "--plan", "--out", "run", "--recipe", "micro"]) == 0
    assert "data: 9 pictures, about 28 x 28 pixels, colour, for training; 3 for" in capsys.readouterr().out


def test_an_unreadable_file_gives_exit_code_2(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my pictures/bag/broken.png").write_bytes(b"\x89PNG")
    assert main(WORDS) == 2
    assert "kakera: my pictures/bag/broken.png: got" in capsys.readouterr().err
    assert Path("the findings", "report.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (WORDS[:2], "kakera curate: got no --init-from, expected a run folder"),
        (WORDS[:4], "kakera curate: got no --out, expected a folder"),
        ([*WORDS[:5], "my pictures"], "my pictures: got other files, expected a new folder"),
        ([*WORDS[:5], "encoder/kakera.json"], "encoder/kakera.json: got a file, expected a folder"),
        ([*WORDS, "--apply", "clean.xlsx"], "apply: got clean.xlsx, expected a .csv file"),
        ([*WORDS, "--relabel"], "relabel: got no table, expected --apply TABLE.csv"),
        ([*WORDS, "--pool", "sum"], "pool: got sum, expected auto, class, mean, class and mean"),
        (["curate", "nowhere", *WORDS[2:]], "nowhere: got no such"),
        ([*WORDS[:3], "nowhere", *WORDS[4:]], "nowhere: got"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
