import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from kakera.errors import RunError
from kakera.training.compiled import compiled
from kakera.training.options import PretrainOptions
from tests.small import folder

OPTIONS = PretrainOptions("x")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method")  # torch's own, as it compiles
def test_auto_compiles_on_a_gpu_only() -> None:
    model = nn.Linear(2, 2)
    assert compiled(model, OPTIONS, torch.device("cpu")) is model
    assert compiled(model, OPTIONS, torch.device("cuda")) is not model
    assert compiled(model, replace(OPTIONS, compile="no"), torch.device("cuda")) is model


def test_a_cpu_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RunError, match="no C\\+\\+ compiler"):
        compiled(nn.Linear(2, 2), replace(OPTIONS, compile="yes"), torch.device("cpu"))


def test_compiled_training_learns_the_same(tmp_path: Path) -> None:
    # In a process of its own: the shapes that are checked under test are not for the compiler.
    data, losses = str(folder(tmp_path / "data")), []
    for choice in ("no", "yes"):
        out = tmp_path / choice
        command = [sys.executable, "-m", "kakera", "pretrain", data, "--out", str(out), "--device", "cpu"]
        command += ["--recipe", "demo", "--size", "nano", "--epochs", "3", "--batch", "8"]
        subprocess.run([*command, "--compile", choice], check=True, capture_output=True)
        lines = (out / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
