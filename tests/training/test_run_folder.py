"""A run folder that is deleted, moved, replaced or refused while a training writes into it."""

import errno
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

import kakera
from kakera.commands import result as ending
from kakera.errors import RunError, StorageError, UnreadableFileError
from kakera.formats.bundle import Pretrained
from kakera.training.run import Run
from tests.small import QUICK, pictures
from tests.training.commands import PRETRAIN, some_npz, start, wait_for_a_checkpoint
from tests.training.faults import model_at

WRITES: dict[str, Callable[[Run], object]] = {
    "log": lambda run: run.log({"step": 1}),
    "save": lambda run: run.save_checkpoint(1, *model_at(1)),
    "list": lambda run: run.list_unreadable([UnreadableFileError("a.png", "empty")]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_no_write_brings_a_deleted_folder_back(write: Callable[[Run], object], tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {"seed": 1})
    with run.locked():
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(RunError, match="no config.json: the folder was deleted") as caught:
            write(run)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_in_its_place_that_another_training_began_is_left_alone(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {"seed": 1})
    with run.locked():
        (tmp_path / "run").rename(tmp_path / "moved")
        other = Run(tmp_path / "run", {"seed": 1})
        with other.locked(), pytest.raises(RunError, match="another run's folder in its place"):
            run.log({"step": 1})
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_folder_in_its_place_with_another_configuration_is_left_alone(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {"seed": 1})
    with run.locked():
        (tmp_path / "run").rename(tmp_path / "moved")
        Run(tmp_path / "run", {"seed": 2})
        with pytest.raises(RunError, match="seed 2 in the run, 1 now"):
            run.save_checkpoint(1, *model_at(1))


def test_a_configuration_deleted_by_hand_is_written_again(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {"seed": 1})
    with run.locked():
        (tmp_path / "run" / "config.json").unlink()
        run.log({"step": 1})
    assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == 1


def test_a_lock_deleted_by_hand_does_not_end_the_training(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", {"seed": 1})
    with run.locked():
        (tmp_path / "run" / ".lock").unlink()
        run.save_checkpoint(1, *model_at(1))
    assert (tmp_path / "run" / "checkpoints" / "step-000000001.safetensors").exists()


def test_checkpoints_deleted_by_hand_are_said_where_training_begins_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path / "run", {"seed": 1})
    run.save_checkpoint(3, *model_at(3))
    run.log({"step": 3})
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert Run(tmp_path / "run", {"seed": 1}).load_checkpoint(*model_at(0)) == 0
    said = capsys.readouterr().err
    assert "metrics up to step 3 but no checkpoint: training starts again at step 0" in said
    assert said.count("\n") == 1


def test_a_folder_deleted_in_the_last_moment_is_not_reported_as_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model = ending.save_model

    def save_and_lose(folder: Path, saved: Pretrained) -> None:
        save_model(folder, saved)
        shutil.rmtree(folder)

    monkeypatch.setattr(ending, "save_model", save_and_lose)
    with pytest.raises(RunError, match="deleted or moved"):
        kakera.pretrain(pictures(), out=tmp_path / "run", **QUICK)


def test_a_full_disk_at_the_last_write_leaves_what_the_same_call_goes_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if Path(target).name == "model.safetensors":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(
        StorageError, match="No space left on device, .*free some disk space; nothing is lost"
    ):
        kakera.pretrain(pictures(), out=tmp_path / "run", **QUICK)
    monkeypatch.undo()
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) > 0
    monkeypatch.setattr(nn.Module, "__call__", _no_more_steps)
    trained = kakera.pretrain(pictures(), out=tmp_path / "run", **QUICK)
    assert (trained.folder / "model.safetensors").exists()


def _no_more_steps(*_: object) -> None:
    raise AssertionError("trained again")


def test_a_read_only_folder_is_one_line_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path / "run", {"seed": 1})

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with run.locked():
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(
            StorageError, match="got Permission denied, .*allow kakera to write there; nothing is lost"
        ):
            run.log({"step": 1})
        monkeypatch.undo()


def test_a_description_deleted_during_training_is_there_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Run.log

    def lose(run: Run, values: dict[str, object]) -> None:
        (run.folder / "kakera.json").unlink(missing_ok=True)
        log(run, values)

    monkeypatch.setattr(Run, "log", lose)
    trained = kakera.pretrain(pictures(), out=tmp_path / "run", **QUICK)
    assert (trained.folder / "kakera.json").exists()


@pytest.mark.slow
def test_the_command_ends_with_one_line_and_leaves_no_half_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("pretrain", some_npz(tmp_path), out, PRETRAIN)
    wait_for_a_checkpoint(process, out)
    process.send_signal(signal.SIGSTOP)
    shutil.rmtree(out)
    process.send_signal(signal.SIGCONT)
    try:
        _, error = process.communicate(timeout=100)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 2
    assert "Traceback" not in error
    (line,) = [line for line in error.splitlines() if line.startswith("kakera: ")]
    assert line.startswith(f"kakera: {out}: got no config.json: the folder was deleted")
    assert not (out / "config.json").exists()
    assert not (out / "model.safetensors").exists()
