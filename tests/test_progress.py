"""What is shown while one waits: on a terminal, which is a real one here, and elsewhere."""

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kakera import progress
from kakera.data.checks.inspect import inspect_dataset
from kakera.data.packing.pack import pack
from kakera.data.preload.preload import preload
from kakera.data.sources.open import open_dataset
from kakera.progress import Progress, print_if_slow, with_progress
from tests.small import folder


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each that is done."""
    monkeypatch.setattr(progress, "FIRST", -1.0)
    monkeypatch.setattr(progress, "EVERY", -1.0)


def test_a_line_says_how_far_and_how_fast(talkative: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(with_progress("abc", "read", total=3, kind="recordings")) == ["a", "b", "c"]
    out, said = capsys.readouterr()
    assert not out
    lines = said.splitlines()
    assert [re.sub(r"\d+ recordings/s", "R recordings/s", line).split(", ")[:2] for line in lines] == [
        [f"read: {count}/3", "R recordings/s"] for count in (1, 2, 3)
    ]
    assert lines[-1].endswith(", 0 s left")


def test_a_step_takes_a_batch(
    talkative: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Progress("pretrain", total=10, start=4, batch=64) as shown:
        began = shown.began
        shown.advance(note="loss 0.5000")
    seconds = 10 - began
    assert capsys.readouterr().err == (
        f"pretrain: step 5/10, {64 / seconds:.2g} pictures/s, loss 0.5000, {5 * seconds:.0f} s left\n"
    )


def test_a_line_now_and_then_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(list(with_progress(range(1000), "read", total=1000))) == 1000
    assert capsys.readouterr() == ("", "")


def test_the_quiet_say_nothing(talkative: None, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("pretrain", total=2, quiet=True) as shown:
        shown.advance()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_of_processes_side_by_side_the_first_one_speaks(
    name: str, talkative: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank, lines in (("0", 2), ("1", 0)):
        monkeypatch.setenv(name, rank)
        list(with_progress("ab", "read", total=2))
        assert len(capsys.readouterr().err.splitlines()) == lines


def test_a_bar_on_a_terminal_which_is_gone_at_the_end() -> None:
    master, slave = pty.openpty()
    code = "from kakera.progress import Progress\nwith Progress('read', total=7) as shown: shown.advance(7)"
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", code], stderr=slave, env=environment, check=True)
    os.close(slave)
    said = b""
    with os.fdopen(master, "rb", buffering=0) as terminal:
        while chunk := _read(terminal.fileno()):
            said += chunk
    assert b"7/7" in said
    assert b"pictures/s" in said
    assert said.rstrip().endswith(b"\x1b[2K"), "the last thing is that the line is wiped"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's way to say that nobody writes any more
        return b""


def test_whatever_reads_everything_says_so(
    talkative: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """12 of each of two classes: whoever goes through them ends at 24."""
    data = open_dataset(folder(tmp_path / "pictures"))
    for verb, work in {
        "read": lambda: preload(data),
        "inspect": lambda: inspect_dataset(data),
        "pack": lambda: pack(data, tmp_path / "one", workers=1),
        "pack ": lambda: pack(data, tmp_path / "two", workers=2, shard_size=8),
    }.items():
        work()
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(verb.strip())]
        assert lines[-1].startswith(f"{verb.strip()}: 24/24, "), verb


def test_what_takes_long_to_open_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.05)
    with print_if_slow("inspect", "pictures"):
        time.sleep(0.5)
    monkeypatch.setattr(progress, "FIRST", 60.0)
    with print_if_slow("inspect", "others"):
        pass
    time.sleep(0.1)
    assert capsys.readouterr().err == "inspect: opening pictures …\n"
