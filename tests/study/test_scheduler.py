"""Killed, started again, and shared between processes."""

import re
import time
from pathlib import Path

import pytest

from kakera.errors import RunError
from kakera.study.mask_ratio import work
from kakera.study.mask_ratio.study import study_mask_ratio
from tests.small import pictures
from tests.study.studies import MASK_RATIO, ended, started, written

pytestmark = pytest.mark.slow

KEPT = {**MASK_RATIO, "checkpoint_seconds": 0.05, "pretrain_epochs": 4.0}


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


def test_a_study_that_is_interrupted_goes_on_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(work, "probed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study_mask_ratio(pictures(60, 20), out=tmp_path / "s", **MASK_RATIO)
    assert begun(capsys.readouterr().err) == ["pretrain-0.5-s0", "probe-0.5-s0"]
    study_mask_ratio(pictures(60, 20), out=tmp_path / "s", **MASK_RATIO)
    said = capsys.readouterr().err
    assert begun(said)[0] == "probe-0.5-s0"
    assert "measuring" not in said


def test_a_broken_result_is_named(tmp_path: Path) -> None:
    study_mask_ratio(pictures(60, 20), out=tmp_path / "s", **MASK_RATIO)
    (tmp_path / "s/units/probe-0.5-s0/result.json").write_text("{")
    with pytest.raises(RunError, match="expected the result of a unit; delete its folder to repeat the unit"):
        study_mask_ratio(pictures(60, 20), out=tmp_path / "s", **MASK_RATIO)
    (tmp_path / "s/plan.json").write_text("[]")
    with pytest.raises(RunError, match="expected a plan"):
        study_mask_ratio(pictures(60, 20), out=tmp_path / "s", **MASK_RATIO)
