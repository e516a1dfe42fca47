"""Tests of the commands as a user runs them, in the current folder."""

import csv
import json
from pathlib import Path

import pytest

from kakera.cli.main import main
from tests.small import folder

QUICK = ["--recipe", "demo", "--epochs", "2", "--batch-size", "8"]
TUNE = [*QUICK, "--min-steps", "1"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "things")
    return tmp_path


def test_from_a_folder_to_predictions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "things", *QUICK]) == 0
    assert (
        "next: kakera finetune things --init-from runs/pretrain-things --out runs/finetune-things\n"
        in capsys.readouterr().out
    )
    assert main(["finetune", "things", "--init-from", "runs/pretrain-things", "--out", "runs/c", *TUNE]) == 0
    out = capsys.readouterr().out
    assert "accuracy" in out
    assert "runs/c: model.safetensors, kakera.json, evaluation.json, metrics.jsonl" in out
    words = ["probe", "things", "--init-from", "runs/pretrain-things", "--probes", "ridge", "--labels", "0"]
    assert main([*words, "--no-finetune", "--out", "runs/probe"]) == 0
    assert "runs/probe: probe.json" in capsys.readouterr().out
    assert main(["predict", "runs/c", "things/bag/0.png", "things/boot/0.png"]) == 0
    out = capsys.readouterr().out
    assert "things/bag/0.png" in out
    assert "%" in out


def test_a_probe_is_planned_and_then_begins_with_its_plan(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["pretrain", "things", *QUICK])
    words = ["probe", "things", "--init-from", "runs/pretrain-things", "--labels", "8", "--time", "5m"]
    capsys.readouterr()
    assert main([*words, "--plan"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("plan: probe\n")
    assert "limit 5 min" in out
    assert out.endswith(f"next: kakera {' '.join(words)}\n")
    assert main([*words, "--no-finetune", "--probes", "ridge"]) == 0
    out, error = capsys.readouterr()
    assert error.startswith("plan: probe\n")
    assert "accuracy in per cent" in out


def test_predictions_as_json_and_csv(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["finetune", "things", "--out", "runs/c", *TUNE])
    capsys.readouterr()
    assert main(["predict", "runs/c", "things", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 24
    assert set(found[0]["probabilities"]) == {"bag", "boot"}
    assert main(["predict", "runs/c", "things/bag", "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 12
    assert float(rows[0]["bag"]) + float(rows[0]["boot"]) == pytest.approx(1)


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["finetune", "things", "--out", "runs/c", *TUNE])
    (here / "empty.png").write_bytes(b"")
    capsys.readouterr()
    assert main(["predict", "runs/c", "empty.png", "things/bag/0.png", "--json"]) == 2
    out, error = capsys.readouterr()
    assert [bool(prediction["labels"]) for prediction in json.loads(out)] == [False, True]
    assert error.startswith("kakera: empty.png: got an empty file")
    assert error.count("\n") == 1


def test_inspect_in_words_and_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "things"]) == 0
    out = capsys.readouterr().out
    assert "things: 24 pictures, colour" in out
    assert "28 x 28 (24)" in out
    assert main(["inspect", "things", "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["parts"].values()) == 24


def test_a_run_folder_of_another_configuration_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["pretrain", "things", "--out", "runs/p", *QUICK])
    capsys.readouterr()
    assert main(["pretrain", "things", "--out", "runs/p", *QUICK, "--mask-ratio", "0.5"]) == 2
    assert "mask_ratio 0.6 in the run, 0.5 now" in capsys.readouterr().err
