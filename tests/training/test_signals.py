"""SIGTERM and Ctrl-C: the step in hand is saved, one line says how to go on, the exit code is 143 or 130."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from kakera.errors import StoppedError
from kakera.training.stop import StopSignal
from tests.training.commands import PRETRAIN, finish, start, wait_for_a_checkpoint


@pytest.fixture
def data(whole: Path) -> Path:
    return whole.parent / "some.npz"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "workers", "everyone"), [(signal.SIGTERM, 0, False), (signal.SIGINT, 2, True)]
)
def test_a_signal_saves_and_says_how_to_go_on(
    number: int, workers: int, everyone: bool, data: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = start("pretrain", data, out, PRETRAIN, workers)
    wait_for_a_checkpoint(process, out)
    (os.killpg if everyone else os.kill)(process.pid, number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number, error
    assert "Traceback" not in error
    (line,) = [line for line in error.splitlines() if line.startswith("kakera: ")]
    assert line.startswith("kakera: stopped after step ")
    step = line.split()[4]
    assert (out / "checkpoints" / f"step-{int(step):09d}.safetensors").exists()
    finish(start("pretrain", data, out, PRETRAIN))
    assert (whole / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


def test_a_first_signal_waits_and_a_second_does_not() -> None:
    with StopSignal() as stop, stop.defer():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received
        with pytest.raises(StoppedError, match="run the same command to resume") as caught:
            os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == 143


def test_where_nothing_is_in_hand_a_signal_stops_at_once() -> None:
    with StopSignal(), pytest.raises(StoppedError) as caught:
        os.kill(os.getpid(), signal.SIGINT)
    assert caught.value.exit_code == 130


def test_afterwards_signals_are_what_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_with_room_the_same_command_goes_on(
    data: Path, whole: Path, small_disk: Path
) -> None:
    def resize(size: str) -> None:
        command = ["mount", "-o", f"remount,size={size}", str(small_disk)]
        subprocess.run(command, check=True)

    checkpoint = 2 * (whole / "model.safetensors").stat().st_size // 1024  # weights and Muon's moment, in KiB
    resize(f"{5 * checkpoint // 2}k")
    options = ["--checkpoint-seconds", "0", *PRETRAIN]
    process = start("pretrain", data, small_disk / "run", options)
    _, error = process.communicate(timeout=200)
    assert process.returncode == 2
    said = [line for line in error.splitlines() if line.startswith("kakera: ")]
    assert len(said) == 1
    assert "No space left on device, expected room to write; free some disk space; nothing is lost" in said[0]
    assert "Traceback" not in error
    assert len(list((small_disk / "run" / "checkpoints").iterdir())) == 2
    resize(f"{6 * checkpoint}k")
    finish(start("pretrain", data, small_disk / "run", options))
    assert (whole / "model.safetensors").read_bytes() == (
        small_disk / "run" / "model.safetensors"
    ).read_bytes()
