"""1, 2 and 4 processes: the same losses and accuracy; any number of them goes on with any other's run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import warm
from tests.training.commands import COMMON, PRETRAIN, some_npz
from tests.training.teams import RUNS, STEPS, TEST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # forty processes on however few cores
HALVES = ["half-1", "half-4", "half-2-sharded"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("teams")
    done = warm.run("tests.training.teams", root, what=warm.module)
    assert done.returncode == 0, done.stderr
    return root


def losses(run: Path) -> torch.Tensor:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1)), "each step once"
    return torch.tensor([line["loss"] for line in lines], dtype=torch.float64)


def others(verb: str) -> list[str]:
    return [name for name in RUNS if name.startswith(verb) and name != f"{verb}-1"]


@pytest.mark.parametrize("name", [*others("finetune"), *others("pretrain"), *HALVES])
def test_the_losses_of_fifty_steps_are_those_of_one_process(name: str, runs: Path) -> None:
    alone = losses(runs / ("pretrain-1" if name.startswith("pretrain") else "finetune-1"))
    assert len(set(alone.tolist())) == STEPS, "each step on other numbers"
    torch.testing.assert_close(losses(runs / name), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [*others("finetune"), *HALVES])
def test_each_test_picture_counts_once_and_the_accuracy_is_the_same(name: str, runs: Path) -> None:
    found, alone = (json.loads((runs / run / "evaluation.json").read_text()) for run in (name, "finetune-1"))
    assert found["count"] == TEST
    assert alone["accuracy"] > 0.2, "nothing was learned, so nothing is compared"
    assert found["accuracy"] == alone["accuracy"]
    assert found["confusion"] == alone["confusion"]
    assert found["log_loss"] == pytest.approx(alone["log_loss"], abs=1e-4)


@pytest.mark.parametrize("name", [*others("finetune"), *others("pretrain"), *HALVES])
def test_one_plain_file_is_saved_and_its_weights_are_the_same(name: str, runs: Path) -> None:
    alone = load_file(
        runs / ("pretrain-1" if name.startswith("pretrain") else "finetune-1") / "model.safetensors"
    )
    found = load_file(runs / name / "model.safetensors")
    assert found.keys() == alone.keys()
    for key, tensor in alone.items():
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", list(RUNS))
def test_only_one_process_writes_and_speaks(name: str, runs: Path) -> None:
    assert len(list((runs / name).glob("events.out.tfevents.*"))) == 1
    assert (runs / f"{name}.log").read_text().count("next: kakera") == 1


def test_one_is_told_to_stop_and_all_do(runs: Path) -> None:
    assert (runs / "half.log").read_text().count("kakera: stopped after step") == 1


def test_what_the_leader_refuses_ends_all_with_one_line(runs: Path) -> None:
    said = (runs / "refused.log").read_text()
    data, error = said.splitlines()  # what was taken, once, and why it goes no further, once
    assert data.endswith("some.npz: 68 pictures")
    assert error.startswith("kakera: ")
    assert "a run of another configuration" in error


def test_a_process_is_started_for_each_device(tmp_path: Path) -> None:
    data = some_npz(tmp_path, 48, 0)
    options = [*COMMON, *PRETRAIN, "--devices", "2", "--epochs", "2", "--timeout", "60"]
    words = ["pretrain", str(data), "--out", str(tmp_path / "run"), *options]
    # A real start: it is what the second process repeats.
    done = subprocess.run(
        [sys.executable, "-m", "kakera", *words], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["devices"] == 2
    assert (tmp_path / "run" / "model.safetensors").exists()
