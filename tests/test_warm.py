"""What stands for `python -m kakera` in tests behaves like one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.warm import Process, run, script


def test_it_says_and_ends_like_a_new_interpreter(tmp_path: Path) -> None:
    for words in (["paint"], ["convert", "nothing"], ["--version"]):
        real = subprocess.run(
            [sys.executable, "-m", "kakera", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        ours = run(*words, cwd=tmp_path)
        assert (ours.returncode, ours.stdout, ours.stderr) == (real.returncode, real.stdout, real.stderr)


def waiting(words: Iterable[object]) -> None:
    print("here", flush=True)
    time.sleep(60)


def test_it_is_killed_like_one() -> None:
    process = Process(what=waiting)
    assert process.readline() == "here\n"
    assert process.poll() is None
    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL


def test_each_has_its_own_environment_and_folder(tmp_path: Path) -> None:
    file = tmp_path / "say.py"
    file.write_text("import os, sys; print(os.environ['WORD'], os.getcwd(), sys.argv[1:])")
    done = run(file, "a", 1, what=script, env={**os.environ, "WORD": "bird"}, cwd=tmp_path, check=True)
    assert done.stdout == f"bird {tmp_path} ['a', '1']\n"
    assert "WORD" not in os.environ
