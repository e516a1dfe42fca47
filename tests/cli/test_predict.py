"""Tests of the output of `kakera predict`, for people and for programs."""

import csv
import io
import json
from pathlib import Path

import pytest

from kakera.cli.main import main
from kakera.formats.native import save_model
from tests.formats.test_inference import classifier
from tests.small import folder


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "model", classifier())
    return "model"


def output(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["predict", *words]) == 0
    return capsys.readouterr().out


def test_of_many_files_the_first_20_are_shown_and_the_rest_is_counted(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(Path("things"), count=15)
    lines = output(capsys, model, "things").splitlines()
    assert sum(line.strip().startswith("things/") for line in lines) == 20
    assert "… 10 more: use --csv or --json to print all" in lines


def test_the_files_of_each_label_are_counted(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder(Path("things"), count=15)
    found = json.loads(output(capsys, model, "things", "--json"))
    table = [line.split() for line in output(capsys, model, "things").splitlines()]
    for label in {each["labels"][0] for each in found}:
        count = sum(each["labels"][0] == label for each in found)
        assert any(words[:2] == [label, str(count)] for words in table)


def test_a_single_file_has_no_summary(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder(Path("things"), count=1)
    said = output(capsys, model, "things/bag/0.png")
    assert "more" not in said
    assert "files per label" not in said


def test_programs_get_all_of_them(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder(Path("things"), count=15)
    assert len(json.loads(output(capsys, model, "things", "--json"))) == 30
    assert len(list(csv.DictReader(io.StringIO(output(capsys, model, "things", "--csv"))))) == 30


def test_json_has_all_classes_or_the_likeliest_that_are_asked_for(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(Path("things"), count=2)
    whole = json.loads(output(capsys, model, "things", "--json"))
    for row, short in zip(
        whole, json.loads(output(capsys, model, "things", "--json", "--top", "1")), strict=True
    ):
        (best,) = short["probabilities"].items()
        assert best == max(row["probabilities"].items(), key=lambda pair: pair[1])
        assert short["labels"] == row["labels"]
        assert len(row["probabilities"]) > 1


def test_no_class_at_all_is_refused(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", model, "things", "--top", "0"]) == 2
    assert capsys.readouterr().err == "kakera: --top: got 0, expected 1 or more; pass a larger number\n"


def test_each_prediction_is_a_line_of_the_array(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder(Path("things"), count=2)
    lines = output(capsys, model, "things", "--json").splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 6)
    assert [json.loads(line.rstrip(","))["file"] for line in lines[1:-1]] == [
        f"things/{name}/{number}.png" for name in ("bag", "boot") for number in (0, 1)
    ]
