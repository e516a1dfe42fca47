"""Saves interrupted at every call that writes: the folder opens, and on the newest whole checkpoint."""

import copy
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kakera.errors import RunError, StorageError
from kakera.training.run import Run
from tests import warm
from tests.training.faults import (
    BROKEN,
    FULL,
    STEPS,
    interrupted,
    life,
    model_at,
    reopened,
    whole_steps,
)

SCRIPT = """
import resource, signal, sys
from pathlib import Path
from tests import warm
from tests.training.faults import life
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    life(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.timeout(1200)  # some fifty processes
def test_a_kill_at_any_call_that_writes(tmp_path: Path) -> None:
    done = warm.run("tests.training.faults", tmp_path, what=warm.module, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["at"] for line in found] == list(range(1, len(found) + 1))
    assert len(found) > 30
    for line in found:
        assert line["code"] == -9, line
        assert line["same"], line
        assert line["left"] == [], line
        assert line["step"] == max(line["steps"], default=0), line
    assert sorted({line["step"] for line in found}) == [0, *STEPS]


def outcome(folder: Path) -> str:
    """Of a life in a folder: the error, or nothing."""
    try:
        life(folder)
    except StorageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("fault", [FULL, BROKEN], ids=["full", "broken"])
def test_an_error_at_any_call_that_writes_is_one_line(fault: Callable[..., None], tmp_path: Path) -> None:
    survived: list[str] = []
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        with interrupted(at, fault) as made:
            said = outcome(folder)
        if len(made) < at:
            break
        assert "\n" not in said
        survived += [] if said else [made[at - 1]]
        assert reopened(folder)[0] == max(whole_steps(folder), default=0)
    # Nothing is lost by these: folders that are there, what is written into the lock, old files to remove.
    assert survived.count("write") == survived.count("ftruncate") == 1
    assert set(survived) == {"ftruncate", "write", "mkdir", "unlink"}


def test_a_full_disk_is_said_and_the_last_checkpoint_stays(small_disk: Path) -> None:
    (small_disk / "others").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 26_000))
    with pytest.raises(StorageError, match="No space left on device.*free some disk space; nothing is lost"):
        life(small_disk / "run")
    found = max(whole_steps(small_disk / "run"))
    assert found > 0
    (small_disk / "others").unlink()
    assert reopened(small_disk / "run")[0] == found
    life(small_disk / "run")


def test_a_limit_on_files_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    life(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "run", "2000"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("StorageError ")
    assert done.stdout.count("\n") == 1
    assert reopened(tmp_path / "run")[0] == max(whole_steps(tmp_path / "run")) == STEPS[-1]


def damage(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    if kind == "cut":
        content = content[: len(content) // 2]
    elif kind == "bit":
        content[-5] ^= 1  # in the last tensor
    elif kind == "name":
        content = content.replace(b"model.bias", b"model.bios", 1)
    else:
        content = bytearray()
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["cut", "bit", "name", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    life(tmp_path)
    damage(tmp_path / "checkpoints" / "step-000000004.safetensors", kind)
    step, model = reopened(tmp_path)
    assert step == 3
    assert torch.equal(model.get_parameter("weight"), model_at(3)[0].get_parameter("weight"))
    said = capsys.readouterr().err
    assert "step-000000004.safetensors is damaged" in said
    assert said.count("\n") == 1
    assert reopened(tmp_path)[0] == 3
    assert not capsys.readouterr().err, "said once"


def test_what_is_saved_after_a_damaged_checkpoint_is_what_is_kept(tmp_path: Path) -> None:
    life(tmp_path)
    damage(tmp_path / "checkpoints" / "step-000000004.safetensors", "bit")
    assert reopened(tmp_path)[0] == 3
    model, optimizer = model_at(3)
    Run(tmp_path, {"seed": 1}).save_checkpoint(3, model, optimizer, average=copy.deepcopy(model))
    assert reopened(tmp_path)[0] == 3
    Run(tmp_path, {"seed": 1}).drop_checkpoints()
    assert not list((tmp_path / "checkpoints").iterdir())


def test_nothing_but_damaged_checkpoints_is_one_line(tmp_path: Path) -> None:
    life(tmp_path)
    for path in (tmp_path / "checkpoints").iterdir():
        damage(path, "bit")
    with pytest.raises(RunError, match="expected at least one undamaged checkpoint") as caught:
        reopened(tmp_path)
    assert "\n" not in str(caught.value)
