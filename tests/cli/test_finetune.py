"""Tests of the last lines of `kakera finetune`."""

from pathlib import Path

import numpy as np
import pytest

from kakera.cli.main import main
from kakera.cli.output import CLASSES
from tests.small import QUICK


def test_of_many_classes_the_first_are_shown_and_the_rest_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = CLASSES + 7
    labels = np.tile(np.arange(count), 3)
    images = np.random.default_rng(0).integers(0, 256, (3 * count, 8, 8), dtype=np.uint8)
    split = np.where(np.arange(3 * count) < 2 * count, "train", "test")
    np.savez(tmp_path / "many.npz", images=images, labels=labels, split=split)
    words = [word for name, value in QUICK.items() for word in _flag(name, value)]
    assert main(["finetune", str(tmp_path / "many.npz"), "--out", str(tmp_path / "run"), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "… 7 more classes: the report and evaluation.json list all" in lines
    assert sum(line.split()[:2] == [str(number), "1"] for number in range(count) for line in lines) == CLASSES


def _flag(name: str, value: object) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else f"--no-{name.replace('_', '-')}"]
    return [flag, str(value)]
