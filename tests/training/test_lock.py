"""Two processes, or two threads, cannot train into one folder; a killed one leaves no lock behind."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kakera.commands.finetune import finetune
from kakera.errors import RunError
from kakera.training.lock import locked
from kakera.training.run import Run
from tests.small import QUICK, folder

HOLD = """
import os, sys, time
from pathlib import Path
from kakera.training.lock import locked
with locked(Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork() == 0:
        time.sleep(60)  # as a process that reads pictures
    print(os.getpid(), flush=True)
    time.sleep(60)
"""


def holder(folder: Path, *more: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), *more], stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_folder_that_another_process_trains_into_is_refused(tmp_path: Path) -> None:
    process, number = holder(tmp_path)
    try:
        with pytest.raises(
            RunError, match=f"process {number} on .* is writing.*choose another --out"
        ) as caught:
            locked(tmp_path).__enter__()
        assert "\n" not in str(caught.value)
    finally:
        end(process)
    with locked(tmp_path):
        pass


def test_a_killed_process_leaves_no_lock_though_its_children_live(tmp_path: Path) -> None:
    process, number = holder(tmp_path, "with a child")
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    try:
        with locked(tmp_path):
            pass
    finally:
        end(process)


def test_another_thread_of_the_process_is_refused_and_the_lock_stays(tmp_path: Path) -> None:
    with locked(tmp_path):
        for folder in (tmp_path, tmp_path / ".." / tmp_path.name):  # another spelling is the same folder
            with (
                ThreadPoolExecutor(1) as pool,
                pytest.raises(RunError, match="another thread of this process"),
            ):
                pool.submit(locked(folder).__enter__).result()
        words = [sys.executable, "-c", HOLD, str(tmp_path)]
        other = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert f"process {os.getpid()} on" in other.stderr
    with locked(tmp_path):
        pass


def test_a_finished_run_is_opened_without_a_write(tmp_path: Path) -> None:
    folder(tmp_path / "data", count=6)
    options = {**QUICK, "out": tmp_path / "run", "epochs": 0.1}
    finetune(tmp_path / "data", **options)

    def state() -> list[tuple[str, int, int]]:
        found = [(path, path.stat()) for path in sorted((tmp_path / "run").rglob("*"))]
        return [(str(path), facts.st_ino, facts.st_mtime_ns) for path, facts in found]

    before = state()
    assert finetune(tmp_path / "data", **options).evaluation is not None
    assert state() == before


def test_a_configuration_that_changed_before_the_lock_is_noticed(tmp_path: Path) -> None:
    run = Run(tmp_path, {"seed": 1})
    (tmp_path / "config.json").write_text('{"seed": 2}')
    with pytest.raises(RunError, match="seed 2 in the run, 1 now"), run.locked():
        pass


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    run = Run(tmp_path, {"seed": 1})
    (tmp_path / "checkpoints").mkdir()
    for name in (".config.json.0123abcd", "checkpoints/.step-000000001.safetensors.0123abcd"):
        (tmp_path / name).write_bytes(b"half")
    with run.locked():
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "checkpoints", "config.json"]
        assert not list((tmp_path / "checkpoints").iterdir())
