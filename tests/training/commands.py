"""Trainings as a user starts them, in processes of their own that can be killed."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.small import pictures

COMMON = ["--recipe", "demo", "--batch-size", "16", "--checkpoint-seconds", "0.2", "--device", "cpu"]
# Everything that draws random numbers is at work.
FINETUNE = [
    *("--epochs", "5", "--min-steps", "1", "--drop-path", "0.2", "--mixup", "0.8", "--cutmix", "1"),
    *("--randaugment", "9", "--random-erasing", "0.25", "--ema-decay", "0.9", "--crop-min-scale", "0.5"),
]
PRETRAIN = ["--epochs", "8", "--crop-min-scale", "0.5", "--flip", "--shift", "1"]


def some_npz(folder: Path, train: int = 200, test: int = 20) -> Path:
    """Some of the demo's pictures in a file."""
    some = pictures(train, test)
    values = np.stack([some.pictures.read(i) for i in range(len(some))])
    path = folder / "some.npz"
    np.savez(path, images=values, labels=some.labels, split=some.split)
    return path


def start(
    verb: str, data: Path, out: Path, options: list[str], workers: int = 0, **more: object
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kakera", verb, str(data), "--out", str(out), "--workers", str(workers)]
    return subprocess.Popen(
        [*command, *COMMON, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,
        **more,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, error = process.communicate(timeout=200)
    assert process.returncode == 0, error.decode()


def wait_for_a_checkpoint(process: subprocess.Popen[bytes], out: Path) -> None:
    while not list((out / "checkpoints").glob("step-*")):
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.005)
