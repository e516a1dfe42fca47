"""Tests that each next command printed by a verb runs as printed, apart from its training time."""

import json
import shlex
from pathlib import Path

import pytest

from kakera.cli import study
from kakera.cli.main import main
from kakera.commands import demo
from kakera.commands.pages.advice import next_steps
from kakera.commands.pages.history import History
from kakera.data.sources.open import open_dataset
from kakera.training.options import FinetuneOptions
from kakera.training.planning.situation import situation
from tests.hub import small_hub
from tests.small import folder
from tests.training.planning.test_next_commands import commands
from tests.training.songs import songs

RECIPE = ["--recipe", "demo", "--epochs", "1", "--batch-size", "8"]
SHORT = {
    "pretrain": [*RECIPE, "--image-size", "32"],
    "finetune": [*RECIPE, "--min-steps", "1"],
    "probe": ["--seeds", "1", "--probes", "ridge", "--labels", "0"],
}
SOUND = {
    **SHORT,
    "pretrain": ["--epochs", "1", "--model", "nano"],
    "finetune": ["--epochs", "1", "--min-steps", "1"],
}


def follow(
    words: list[str], capsys: pytest.CaptureFixture[str], short: dict[str, list[str]] = SHORT
) -> list[list[str]]:
    """Run a command, and return the commands that it prints."""
    capsys.readouterr()
    assert main([*words[1:], *short.get(words[1], [])]) == 0, capsys.readouterr().err
    return commands(capsys.readouterr().out.splitlines())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working folder and a small hub, and copy two folders of the hub into it."""
    monkeypatch.chdir(tmp_path)
    return small_hub(tmp_path, monkeypatch)


def test_all_that_inspect_advises_for_large_pictures_runs(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(hub / "my things", count=20, side=80)
    advised = follow(["kakera", "inspect", "my things"], capsys)
    assert [words[1] for words in advised] == ["finetune", "finetune", "probe", "pretrain"]
    for words in advised:
        follow(words, capsys)


def test_all_that_inspect_advises_for_recordings_runs(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    songs(hub / "recordings", count=6)
    advised = follow(["kakera", "inspect", "recordings"], capsys)
    assert [words[1] for words in advised] == ["finetune", "probe", "pretrain"]
    for words in advised:
        follow(words, capsys, SOUND)


def test_from_small_pictures_to_a_conversion_each_verb_names_the_next(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(hub / "things", count=10)
    (pretrain, _) = follow(["kakera", "inspect", "things"], capsys)
    (finetune, probe) = follow(pretrain, capsys)
    assert follow(probe, capsys) == [finetune]
    predict, explain = follow(finetune, capsys)
    assert follow(explain, capsys) == []
    page, table = follow(predict, capsys)
    (again,) = follow(page, capsys)
    assert again == table
    assert table == [*predict, "--csv", ">", "predictions.csv"]
    convert = ["kakera", "convert", "runs/finetune-things", "runs/hf", "--to", "transformers"]
    (predict,) = follow(convert, capsys)
    assert predict == ["kakera", "predict", "runs/hf", "things"]
    follow(predict, capsys)


def test_inspect_counts_the_training_files_that_can_be_read(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(hub / "things", count=10, side=80)
    for number in range(4):
        (hub / "things" / "bag" / f"{number}.png").write_bytes(b"nothing")
    assert main(["inspect", "things"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (parts,) = [line for line in lines if line.startswith("parts: train ")]
    (start,) = [line for line in lines if line.startswith("start: ")]
    assert start.split()[1] == parts.removeprefix("parts: train ").split(",")[0]


def test_the_plan_of_a_study_names_the_study(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "_plan", lambda name, given: None)
    words = [
        "kakera",
        "study",
        "mask-ratio",
        "things",
        "--recipe",
        "demo",
        "--seeds",
        "1",
        "--mask-ratios",
        "0.5",
        "0.75",
    ]
    assert follow([*words, "--plan"], capsys) == [words]


def test_a_plan_names_the_training(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(hub / "my things", count=10)
    words = ["kakera", "pretrain", "my things", "--epochs", "1"]
    assert follow([*words, "--plan"], capsys, {}) == [words]


def test_the_demo_ends_with_the_path_of_its_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = demo.DemoResult(Path("runs/demo/report.html"), {"x": {100: 0.5}})
    monkeypatch.setattr(demo, "demo", lambda *_, **__: found)
    assert main(["demo"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "runs/demo/report.html: open it in a browser"


def test_a_quick_demo_ends_with_its_path_and_that_it_was_quick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(out: str, *, quick: bool) -> demo.DemoResult:
        return demo.DemoResult(Path(out) / "report.html", {"x": {100: 0.5}}, quick)

    monkeypatch.setattr(demo, "demo", found)
    assert main(["demo", "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == demo.BRIEF
    assert lines[-1].startswith("runs/demo-quick/report.html: open it in a browser; without --quick")


def test_the_advice_to_train_longer_runs_beside_the_finished_run(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(hub / "my things", count=10)
    words = [
        "finetune",
        "my things",
        "--recipe",
        "demo",
        "--epochs",
        "1",
        "--min-steps",
        "1",
        "--model",
        "nano",
    ]
    assert main([*words, "--out", "my run", "--no-flip"]) == 0
    given = {
        "recipe": "demo",
        "epochs": 1.0,
        "min_steps": 1,
        "model": "nano",
        "out": "my run",
        "flip": False,
    }
    history = History(({"epoch": 1.0, "step": 1.0, "train_accuracy": 0.5},))
    options = FinetuneOptions(data="my things", out="my run")
    texts = next_steps(options, open_dataset("my things"), history, None, situation("my things"), given)
    (longer,) = [text.partition(": kakera ")[2] for text in texts if text.startswith("Train longer")]
    assert main(shlex.split(longer)) == 0, capsys.readouterr().err
    configs = [json.loads((hub / name / "config.json").read_text()) for name in ("my run", "my run-longer")]
    differing = {name for name in configs[0] if configs[0][name] != configs[1][name]}
    assert differing == {"epochs", "out"}
    assert configs[1]["epochs"] == 3
