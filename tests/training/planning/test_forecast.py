"""What a plan prints, and what it adds once real steps have been timed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kakera.cli.main import main
from kakera.commands.finetune import finetune, plan_finetune
from kakera.commands.pretrain import plan_pretrain
from kakera.training.planning.baseline_costs import baseline_seconds
from kakera.training.planning.forecast import Forecast
from tests.small import QUICK, folder, pictures


def printed(forecast: Forecast, kind: str) -> list[str]:
    return [line.strip() for line in forecast.lines() if line.strip().startswith(kind)]


@pytest.fixture
def forecast(tmp_path: Path) -> Forecast:
    return plan_pretrain(pictures(), out=tmp_path / "run", **{**QUICK, "epochs": 100.0})


def test_classes_with_few_or_no_test_files_are_warned_of_before_a_fine_tuning(tmp_path: Path) -> None:
    data = pictures(60, 40)
    assert data.labels is not None
    labels, classes = data.labels, data.classes
    bags = np.flatnonzero((data.split == "test") & (labels == classes.index("Bag")))
    tested = np.bincount(labels[data.split == "test"], minlength=10)
    few = [name for name, count in zip(classes, tested, strict=True) if 0 < count <= 3 and name != "Bag"]
    rest = data.take(np.setdiff1d(np.arange(len(data)), bags))
    plan = plan_finetune(rest, out=tmp_path / "run", model="nano", **QUICK)
    said = " ".join(printed(plan, "warning"))
    assert "accuracy of class Bag cannot be measured: it has no test picture" in said
    assert few
    assert all(name in said for name in few[:3])


def test_a_pretraining_says_nothing_of_classes(forecast: Forecast) -> None:
    assert not any("class" in text for text in printed(forecast, "warning"))


def test_what_timing_reveals_is_warned_of_once(forecast: Forecast) -> None:
    fast = replace(forecast, step_seconds=1e-3)
    slow = replace(forecast, step_seconds=60.0, measured=True)
    assert "speed" not in fast.warnings()
    new = [line for line in slow.update(fast) if "warning" in line]
    assert len(new) == 1
    assert "per second" in new[0]
    assert not any("warning" in line for line in slow.update(slow))


def test_a_training_cut_to_few_steps_is_warned_of(forecast: Forecast) -> None:
    assert "steps" not in forecast.warnings()
    before = replace(forecast, step_seconds=1.0, limit=20.0)
    after = before.shorter()
    assert after.plan.steps < 20
    text = f"  warning: {after.plan.steps} steps are too few to learn: raise --epochs or --time"
    assert text in after.update(before)


def test_a_plan_sends_few_and_large_pictures_to_published_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(folder(tmp_path / "things", count=20, side=80))
    assert main(["pretrain", root, "--plan", "--epochs", "4"]) == 0
    said = capsys.readouterr().out
    assert f"start from published weights: kakera finetune {root} --init-from facebook/dinov2-small" in said


def test_a_training_prints_its_warnings_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finetune(pictures(), out=tmp_path / "run", model="nano", **QUICK)
    plan, _, after = capsys.readouterr().err.partition("  writes:")
    assert "plan: finetune from scratch" in plan
    steps = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    assert f"{steps} steps are too few to learn" in after


def test_what_is_warned_of_is_not_printed_again_where_some_files_cannot_be_read(tmp_path: Path) -> None:
    root = folder(tmp_path / "things", count=10)
    folder(root, count=40, classes=("shoe",))
    plan = plan_finetune(root, out=tmp_path / "run", model="nano", **QUICK)
    assert any("uneven classes: shoe has 8 test" in text for text in printed(plan, "warning"))
    dataset = plan.prepared.dataset
    tested = np.flatnonzero((dataset.split == "test") & (np.asarray(dataset.labels) == 2))
    fewer = dataset.take(np.setdiff1d(np.arange(len(dataset)), tested[:2]))
    read = replace(plan, prepared=replace(plan.prepared, dataset=fewer))
    assert "uneven classes: shoe has 6 test" in "".join(printed(read, "warning"))
    assert not [line for line in read.update(plan) if "warning" in line]


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A folder of 20 pictures for training and 20 to measure on; five of the former cannot be read."""
    train = folder(tmp_path / "things" / "train", count=10)
    folder(tmp_path / "things" / "test", count=10)
    for number in range(5):
        (train / "bag" / f"{number}.png").write_bytes(b"nothing")
    return tmp_path / "things"


def test_a_plan_counts_the_training_files_that_can_be_read(damaged: Path, tmp_path: Path) -> None:
    plan = plan_pretrain(damaged, out=tmp_path / "run", **QUICK)
    assert printed(plan, "data: ")[0].startswith("data: 15 pictures")
    assert printed(plan, "note: 5")[0] == "note: 5 of 20 pictures checked are unreadable"


def test_a_training_says_how_many_files_are_left_once_it_has_read_them(
    damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finetune(damaged, out=tmp_path / "run", model="nano", **QUICK)
    said = [line.split(",")[0] for line in capsys.readouterr().err.splitlines() if "data: " in line]
    assert said == ["  data: 20 pictures", "  data: 15 pictures"]


def test_a_limit_leaves_room_for_the_baselines(tmp_path: Path) -> None:
    words = {**QUICK, "out": tmp_path / "run", "model": "nano", "epochs": 100_000.0, "time": "60s"}
    spent = [plan_finetune(pictures(), baselines=each, **words) for each in (True, False)]
    given = [plan.plan.steps * plan.step_seconds + plan.after for plan in spent]
    assert spent[0].after - spent[1].after == pytest.approx(
        baseline_seconds(40, 20, 10, recordings=False), abs=0.2
    )
    assert all(seconds <= 60 for seconds in given)


def test_a_start_leaves_room_for_its_frozen_tokens(mae: Path, tmp_path: Path) -> None:
    words = {**QUICK, "out": tmp_path / "run", "epochs": 100_000.0, "time": "60s"}
    plan = replace(plan_finetune(pictures(), init_from=mae, **words), step_seconds=100.0)
    scratch = replace(plan, plan=replace(plan.plan, options=replace(plan.plan.options, init_from="")))
    each = 100 / 3 / plan.plan.batch
    assert plan.after - scratch.after == pytest.approx(min(60 * each, 0.1 * plan.plan.steps * 100))
