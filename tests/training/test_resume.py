"""Killed in the middle of an epoch and started again: the same weights, bit for bit."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.small import pictures

COMMON = ["--recipe", "demo", "--batch", "16", "--checkpoint-seconds", "0.2", "--device", "cpu"]
# Everything that draws random numbers is at work.
FINETUNE = [
    *("--epochs", "5", "--least-steps", "1", "--drop-path", "0.2", "--mixup", "0.8", "--cutmix", "1"),
    *("--randaugment", "9", "--erasing", "0.25", "--ema", "0.9", "--crop-least", "0.5"),
]
PRETRAIN = ["--epochs", "8", "--crop-least", "0.5", "--flip", "--shift", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    some = pictures(200, 20)
    values = np.stack([some.pictures.read(i) for i in range(len(some))])
    path = tmp_path_factory.mktemp("data") / "some.npz"
    np.savez(path, images=values, labels=some.labels, split=some.split)  # type: ignore[arg-type]  # arrays
    return path


def start(verb: str, data: Path, out: Path, options: list[str], workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kakera", verb, str(data), "--out", str(out), "--workers", str(workers)]
    return subprocess.Popen([*command, *COMMON, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, error = process.communicate(timeout=200)
    assert process.returncode == 0, error.decode()


def kill_after_a_checkpoint(process: subprocess.Popen[bytes], out: Path) -> None:
    while not list((out / "checkpoints").glob("step-*")):
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (out / "model.safetensors").exists(), "killed too late to show anything"


@pytest.mark.parametrize(("verb", "options"), [("pretrain", PRETRAIN), ("finetune", FINETUNE)])
def test_a_killed_run_ends_with_the_same_weights(
    verb: str, options: list[str], data: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(verb, data, whole, options, workers=0))
    kill_after_a_checkpoint(start(verb, data, killed, options, workers=0), killed)
    steps = [path.stem for path in (killed / "checkpoints").glob("step-*")]
    finish(start(verb, data, killed, options, workers=2))
    assert steps
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()
