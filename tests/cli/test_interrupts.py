"""Tests of Ctrl-C and SIGTERM in real processes: one line that fits the verb, at any moment."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kakera.cli.interrupts import ENDED
from kakera.cli.main import VERBS
from tests.small import folder

STARTED = (-signal.SIGINT, 130)  # before its handler is there, Python ends by the signal itself


def stopped(words: list[str], after: float, number: int = signal.SIGINT) -> tuple[int, str]:
    command = [sys.executable, "-m", "kakera", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=listen,
    ) as process:
        time.sleep(after)
        os.killpg(process.pid, number)
        try:
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, error


def listen() -> None:
    """Restore the signal handlers of a terminal, because a shell's background process ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("data") / "many", count=60, side=600)


def test_every_verb_has_its_line() -> None:
    assert ENDED.keys() == VERBS.keys()


@pytest.mark.parametrize("after", [0.3, 0.6, 1.0])
def test_at_any_moment_after_the_start_one_line_and_no_traceback(after: float, many: Path) -> None:
    code, error = stopped(["inspect", str(many)], after)
    assert code in STARTED
    assert error == "kakera: stopped; nothing was written\n"


def test_the_loader_of_a_model_is_stopped_as_its_verb_says(tmp_path: Path, many: Path) -> None:
    code, error = stopped(["pretrain", str(many), "--out", str(tmp_path / "run"), "--recipe", "micro"], 1.0)
    assert code in STARTED
    assert re.fullmatch("kakera: stopped; the same command resumes from the last checkpoint, or .*\n", error)


def test_sigterm_is_one_line_too(many: Path) -> None:
    assert stopped(["inspect", str(many)], 1.0, signal.SIGTERM) == (
        143,
        "kakera: stopped; nothing was written\n",
    )


def test_an_interrupt_that_passed_through_exec_keeps_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "caught.py").write_text(
        "import sys\nfrom kakera.cli.interrupts import Interrupted\n"
        "try:\n    exec('raise Interrupted', {'Interrupted': Interrupted})\n"
        "except KeyboardInterrupt:\n    sys.exit(143)\n"
    )
    done = subprocess.run([sys.executable, "-m", "caught"], cwd=tmp_path, check=False)
    assert done.returncode == 143
