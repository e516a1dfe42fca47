"""Trainings as a user starts them, in processes of their own that can be killed."""

import time
from pathlib import Path

import numpy as np

from tests.small import pictures
from tests.warm import Process

COMMON = ["--recipe", "demo", "--batch-size", "16", "--checkpoint-seconds", "0.2", "--device", "cpu"]
# Everything that draws random numbers is at work.
FINETUNE = [
    *("--epochs", "5", "--min-steps", "1", "--drop-path", "0.2", "--mixup", "0.8", "--cutmix", "1"),
    *("--randaugment", "9", "--random-erasing", "0.25", "--ema-decay", "0.9", "--crop-min-scale", "0.5"),
]
PRETRAIN = ["--epochs", "5", "--crop-min-scale", "0.5", "--flip", "--shift", "1"]


def some_npz(folder: Path, train: int = 200, test: int = 20) -> Path:
    """Some of the demo's pictures in a file."""
    some = pictures(train, test)
    values = np.stack([some.pictures.read(i) for i in range(len(some))])
    path = folder / "some.npz"
    np.savez(path, images=values, labels=some.labels, split=some.split)
    return path


def start(verb: str, data: Path, out: Path, options: list[str], workers: int = 0) -> Process:
    return Process(verb, data, "--out", out, "--workers", workers, *COMMON, *options)


def finish(process: Process) -> None:
    _, error = process.communicate(timeout=200)
    assert process.returncode == 0, error


def wait_for_a_checkpoint(process: Process, out: Path) -> None:
    while not list((out / "checkpoints").glob("step-*")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)


def require_same_weights_after_a_kill(verb: str, data: Path, folder: Path, words: list[str]) -> None:
    """Run a training whole, and once more killed after its first checkpoint and resumed: the same bytes."""
    whole, killed = folder / "whole", folder / "killed"
    finish(start(verb, data, whole, words))
    process = start(verb, data, killed, words)
    wait_for_a_checkpoint(process, killed)
    process.kill()
    process.communicate()
    assert not (killed / "model.safetensors").exists(), "killed too late to show anything"
    finish(start(verb, data, killed, words))
    assert (whole / "model.safetensors").read_bytes() == (killed / "model.safetensors").read_bytes()
