import json
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from kakera.errors import RunError
from kakera.model.classifier import Classifier
from kakera.model.configs import resnet_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.training.layer_wrappers import compiled, wrap_layers
from kakera.training.options import PretrainOptions
from tests import warm
from tests.model.models import DECODER, SHAPE, SIZE, drawn, encoder, pictures
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
    assert how(ResNet(resnet_config("resnet-nano"), channels=1, classes=2), "cuda") == (1, False)


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
    with wrap_layers([model], lambda forward: lambda x: forward(x) + 1):
        with wrap_layers([model], lambda forward: lambda x: 2 * forward(x)):
            twice = model(torch.zeros(1, 2))
        once = model(torch.zeros(1, 2))
    assert torch.equal(twice, 2 * once)
    assert torch.equal(once, model(torch.zeros(1, 2)) + 1)


def uncompiled(words: Iterable[object]) -> None:
    """The command; its graphs are made and differentiated as for the compiler, and run without one."""
    torch.compile = partial(torch.compile, backend="aot_eager")
    warm.kakera(words)


def test_compiled_training_learns_the_same(tmp_path: Path) -> None:
    # In a process of its own: the shapes that are checked under test are not for the compiler.
    data, losses = folder(tmp_path / "data"), []
    for choice in ("no", "yes"):
        words = ["pretrain", data, "--out", tmp_path / choice, "--device", "cpu", "--recipe", "demo"]
        words += ["--model", "nano", "--epochs", "3", "--batch-size", "8", "--compile", choice]
        warm.run(*words, what=uncompiled, check=True)
        lines = (tmp_path / choice / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


def layer(words: Iterable[object]) -> None:
    """A network of one layer, as it is and compiled for a CPU; prints how far loss and slopes are apart."""
    vit = ViT(replace(SHAPE, depth=1), channels=3, image_size=SIZE)
    model, x, found = Classifier(vit, 2).train(), pictures().float(), []
    drawn(model).float()
    for choice in ("no", "yes"):
        with compiled(model, replace(OPTIONS, compile=choice), torch.device("cpu")):
            model.zero_grad()
            loss = model(x).square().sum()
            loss.backward()
        slopes = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        found.append(torch.cat([slope.flatten() for slope in [loss.detach(), *slopes]]))
    assert found[0].abs().max() > 0
    print(((found[0] - found[1]).abs().max() / found[0].abs().max()).item())


@pytest.mark.slow  # g++
def test_a_layer_that_is_compiled_for_a_cpu_has_the_same_loss_and_slopes() -> None:
    done = warm.run(what=layer, env=os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "1"}, check=True)
    assert float(done.stdout) < 1e-5
