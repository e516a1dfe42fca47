import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from kakera.errors import RunError
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet, resnet_shape
from kakera.training.compiled import compiled
from kakera.training.options import PretrainOptions
from kakera.training.regions import through
from tests.model.models import DECODER, SHAPE, encoder
from tests.small import folder

OPTIONS = PretrainOptions("x")


def how(model: nn.Module, device: str, choice: str = "auto") -> tuple[int, bool]:
    """How many parts compute through something else within the block, and whether any does after it."""
    options = replace(OPTIONS, compile=choice)
    with compiled(model, options, torch.device(device)):
        during = sum("forward" in vars(part) for part in model.modules())
    return during, any("forward" in vars(part) for part in model.modules())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method")  # torch's own, as it compiles
def test_auto_compiles_layer_by_layer_on_a_gpu_only() -> None:
    transformer = MAE(encoder(), DECODER)
    assert how(transformer, "cpu") == (0, False)
    assert how(transformer, "cuda") == (SHAPE.depth + DECODER.depth, False)
    assert how(transformer, "cuda", "no") == (0, False)
    assert how(ResNet(resnet_shape("resnet-nano"), channels=1, classes=2), "cuda") == (1, False)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method")
def test_what_is_done_aside_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()  # of graphs that are made, which run as they are
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=counter))
    model = nn.Linear(2, 2)
    with compiled(model, OPTIONS, torch.device("cuda")) as aside:
        for _ in range(2):
            with aside():
                model(torch.zeros(1, 2, requires_grad=True))
            assert counter.frame_count == 0
        model(torch.zeros(1, 2))
        assert counter.frame_count == 1
    model(torch.zeros(1, 2).double().float().requires_grad_())
    assert counter.frame_count == 1


def test_a_cpu_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RunError, match="no C\\+\\+ compiler"):
        how(nn.Linear(2, 2), "cpu", "yes")


def test_a_compiled_layer_may_be_computed_again_for_its_gradient() -> None:
    model = nn.Linear(2, 2)
    with through([model], lambda forward: lambda x: forward(x) + 1):
        with through([model], lambda forward: lambda x: 2 * forward(x)):
            twice = model(torch.zeros(1, 2))
        once = model(torch.zeros(1, 2))
    assert torch.equal(twice, 2 * once)
    assert torch.equal(once, model(torch.zeros(1, 2)) + 1)


def test_compiled_training_learns_the_same(tmp_path: Path) -> None:
    # In a process of its own: the shapes that are checked under test are not for the compiler.
    data, losses = str(folder(tmp_path / "data")), []
    for choice in ("no", "yes"):
        out = tmp_path / choice
        command = [sys.executable, "-m", "kakera", "pretrain", data, "--out", str(out), "--device", "cpu"]
        command += ["--recipe", "demo", "--model", "nano", "--epochs", "3", "--batch-size", "8"]
        subprocess.run([*command, "--compile", choice], check=True, capture_output=True)
        lines = (out / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
