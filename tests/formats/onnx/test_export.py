"""Graphs for ONNX Runtime: for any number of pictures and any mask it gets the model's numbers."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kakera.errors import MissingExtraError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.foreign.ast_inputs import spectrograms
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.formats.onnx import export
from kakera.formats.onnx.graph import graph_of
from kakera.formats.verify import session_of
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import DecoderConfig, ViTConfig, resnet_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from tests import warm
from tests.formats.foreign.test_transformers import drawn, far

SHAPE = ViTConfig(24, 2, 3, (4, 4), DecoderConfig(16, 1, 4))
CROSS = replace(SHAPE.decoder, cross=True)
INPUTS = InputSpec(2, 12, 12, (0.1, 0.2), (0.3, 0.4))
NANO = resnet_config("resnet-nano")
HEARD = replace(spectrograms(64, -4.0, 4.0, 32), blank=None)
FILLED = spectrograms(64, -4.0, 4.0, 32)


def seen() -> ViT:
    return ViT(SHAPE, channels=2, image_size=(12, 12))


def heard(registers: int = 0, stride: tuple[int, int] | None = None) -> ViT:
    shape = replace(SHAPE, patch=(16, 16), registers=registers, stride=stride)
    return ViT(shape, channels=1, image_size=(32, 64))


def models() -> dict[str, Pretrained]:
    two = ("ant", "bee")
    return {
        "classifier": Pretrained(Classifier(seen(), 2, "mean"), INPUTS, two),
        "several": Pretrained(Classifier(seen(), 2, "class"), INPUTS, two, multi_label=True),
        "encoder": Pretrained(seen(), INPUTS),
        "normalised": Pretrained(MAE(seen(), SHAPE.decoder), INPUTS),
        "plain": Pretrained(MAE(seen(), SHAPE.decoder, norm_pix_loss=False, hog_target=True), INPUTS),
        "recordings": Pretrained(Classifier(heard(), 2, "mean"), HEARD, two),
        "recordings of one token": Pretrained(Classifier(heard(), 2, "class"), HEARD, two),
        "AST": Pretrained(Classifier(heard(1, (10, 10)), 2, "halves", 1e-5), FILLED, two),
        "cross": Pretrained(MAE(seen(), CROSS), INPUTS),
        "CNN": Pretrained(ResNet(NANO, channels=2, classes=2), INPUTS, two),
        "CNN of recordings": Pretrained(ResNet(NANO, channels=1, classes=2), HEARD, two),
        "recordings hidden": Pretrained(MAE(heard(), SHAPE.decoder), HEARD),
    }


def filled(kind: str) -> Pretrained:
    """Every number drawn; a CNN's so that its maps keep their size, with statistics as after a training."""
    saved = models()[kind]
    if not isinstance(saved.model, ResNet):
        drawn(saved.model)
        return saved
    draws = torch.Generator().manual_seed(0)
    saved.model.reset_parameters(draws)
    torch.nn.init.normal_(saved.model.head.weight, generator=draws)
    for part in saved.model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_(std=0.3, generator=draws)
            part.running_var.uniform_(0.5, 2, generator=draws)
    saved.model.eval()
    return saved


@pytest.mark.parametrize("kind", models())
def test_the_graph_computes_what_the_model_does(kind: str) -> None:
    """Before it is exported: all patches computed and not attended to, against patches left out."""
    saved = filled(kind)
    graph = graph_of(saved)
    given = graph.example(3, seed=5)
    with torch.inference_mode():
        found = graph(*given)
        for one, other in zip(
            graph.expected(*given), (found,) if isinstance(found, torch.Tensor) else found, strict=True
        ):
            assert far(one, other) < 1e-4 * max(1.0, one.abs().max().item())


@pytest.mark.parametrize("kind", ["classifier", "plain", "cross", "recordings", "CNN", "CNN of recordings"])
def test_onnx_runtime_gives_the_models_numbers(kind: str, tmp_path: Path) -> None:
    saved = filled(kind)
    save_model(tmp_path / "run", saved)
    done = convert(tmp_path / "run", tmp_path / "out", to="onnx")
    assert done.judge == "onnxruntime"
    folder = tmp_path / "out"
    session = session_of(folder / "model.onnx")
    for count in (1, 5):
        given = graph_of(saved).example(count, seed=count)
        if kind == "plain":  # another share than the graph was made with
            hidden = torch.zeros_like(given[-1])
            hidden[:, 2] = True
            given = (*given[:-1], hidden)
        names = [each.name for each in session.get_inputs()]
        found = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
        with torch.inference_mode():
            for one, other in zip(graph_of(saved).expected(*given), found, strict=True):
                scale = max(1.0, one.abs().max().item())
                assert far(one, torch.from_numpy(other)) < 1e-5 * scale
    config = json.loads((folder / "config.json").read_text())
    assert config["input_names"] == names
    assert config["output_names"] == [each.name for each in session.get_outputs()]
    assert (folder / "preprocessor_config.json").exists()
    card = (folder / "README.md").read_text()
    assert all(f"`{name}`" in card for name in names)


def test_the_exporter_does_not_speak_of_what_nobody_needs(tmp_path: Path) -> None:
    save_model(tmp_path, models()["plain"])
    done = warm.run("convert", tmp_path, tmp_path / "graph", "--to", "onnx", check=True)
    assert done.stdout.startswith("read: ")
    assert not done.stderr


def test_a_graph_is_not_read_back(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    (tmp_path / "config.json").write_text("{}")
    for source in (tmp_path, tmp_path / "model.onnx"):
        with pytest.raises(RunError, match="onnx") as caught:
            load(source)
        assert "\n" not in str(caught.value)


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"kakera\[onnx\]"):
        export.files(models()["encoder"])
