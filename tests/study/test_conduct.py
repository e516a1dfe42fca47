"""Killed, started again, and shared between processes."""

import re
import time
from pathlib import Path

import pytest

from tests.study.studies import DATA_SIZE, MASK_RATIO, ended, started, written

KEPT = {**MASK_RATIO, "checkpoint_seconds": 0.1, "pretrain_epochs": 20.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("data") / "some.npz", train=200)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "study"
    ended(started("mask-ratio", data, out, KEPT))
    return out


def begun(said: str) -> list[str]:
    """The units that a process began."""
    return re.findall(r"^study: \d+ of \d+: (\S+) ", said, re.MULTILINE)


def test_a_killed_study_repeats_no_unit_and_gives_the_same_table(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    process = started("mask-ratio", data, out, KEPT)
    # The fourth unit is the second pretraining: killed in its middle, with three units finished.
    while not list(out.glob("units/pretrain-0.75-s0/checkpoints/step-*")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    process.kill()
    first = begun(process.communicate()[1])
    finished = {path: path.stat().st_mtime_ns for path in out.glob("units/*/result.json")}
    assert len(finished) == 3
    assert not (out / "units/pretrain-0.75-s0/model.safetensors").exists(), "killed too late to show anything"
    second = begun(ended(started("mask-ratio", data, out, KEPT)))
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert set(first).intersection(second) == {"pretrain-0.75-s0"}
    assert (out / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()


def test_two_processes_share_the_work_and_repeat_none(data: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    both = [started("mask-ratio", data, out, KEPT) for _ in range(2)]
    first, second = (begun(ended(process)) for process in both)
    assert first
    assert second
    assert sorted(first + second) == sorted(path.name for path in (out / "units").iterdir())
    assert (out / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()


def test_a_study_that_is_interrupted_goes_on_at_once(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    process = started("data-size", data, out, {**DATA_SIZE, "sizes": ("20",), "rates": (1.0,)})
    while not list(out.glob("units/*/result.json")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(2)
    said = process.communicate()[1]
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("kakera: stopped; the same command goes on")
    again = ended(started("data-size", data, out, {**DATA_SIZE, "sizes": ("20",), "rates": (1.0,)}))
    assert "pretrain-s0" not in begun(again)
    assert "measuring" not in again
    assert (out / "report.html").exists()
