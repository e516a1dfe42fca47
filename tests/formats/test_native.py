import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from kakera.commands.finetune import finetune
from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import DESCRIPTION, WEIGHTS, load_model, save_model, seeded_generator
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model import positions
from kakera.model.classifier import Classifier
from kakera.model.configs import resnet_config, vit_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from tests.small import QUICK, pictures

INPUTS = InputSpec(3, 28, 32, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def encoder(*, learned: bool = False) -> ViT:
    return ViT(vit_config("nano"), channels=3, image_size=(28, 32), learned=learned)


def models() -> list[Pretrained]:
    cnn = ResNet(resnet_config("resnet-nano"), channels=3, classes=2)
    return [
        Pretrained(MAE(encoder(), vit_config("nano").decoder, norm_pix_loss=False), INPUTS),
        Pretrained(Classifier(encoder(learned=True), 3, "class"), INPUTS, ("a", "b", "ç"), multi_label=True),
        Pretrained(cnn, INPUTS, ("x", "y")),
        Pretrained(MAE(encoder(), vit_config("nano").decoder, hog_target=True), INPUTS),
    ]


@pytest.mark.parametrize("saved", models(), ids=["mae", "classifier", "cnn", "mae of gradients"])
def test_what_is_loaded_is_what_was_saved(saved: Pretrained, tmp_path: Path) -> None:
    saved.model.reset_parameters(seeded_generator(3))
    save_model(tmp_path, saved)
    found = load_model(tmp_path)
    assert (found.inputs, found.classes, found.multi_label) == (
        saved.inputs,
        saved.classes,
        saved.multi_label,
    )
    assert type(found.model) is type(saved.model)
    ours, theirs = saved.model.state_dict(), found.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_loaded_model_is_ready_to_predict(tmp_path: Path) -> None:
    save_model(tmp_path, models()[2])
    assert not load_model(tmp_path).model.training


def test_learned_positions_stay_learned(tmp_path: Path) -> None:
    save_model(tmp_path, models()[1])
    assert load_model(tmp_path).encoder.positions.requires_grad


def test_a_cnn_has_no_encoder() -> None:
    with pytest.raises(RunError, match="expected a Vision Transformer"):
        _ = models()[2].encoder


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
@pytest.mark.parametrize("content", [None, b"", b"{", b"\0" * 100])
def test_a_damaged_folder_gets_one_line(name: str, content: bytes | None, tmp_path: Path) -> None:
    save_model(tmp_path, models()[0])
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError) as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)
    assert "expected a folder with" in str(caught.value)


def test_a_single_bit_of_the_weights_is_noticed(tmp_path: Path) -> None:
    save_model(tmp_path, models()[0])
    content = bytearray((tmp_path / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(RunError, match="got model.safetensors: its content does not match its checksum"):
        load_model(tmp_path)


def test_weights_without_a_checksum_are_read(tmp_path: Path) -> None:
    saved = models()[0]
    save_model(tmp_path, saved)
    save_file(saved.model.state_dict(), tmp_path / WEIGHTS)
    with safe_open(tmp_path / WEIGHTS, framework="pt") as file:
        assert file.metadata() is None
    load_model(tmp_path)


def test_weights_of_another_model_get_one_line(tmp_path: Path) -> None:
    save_model(tmp_path, models()[0])
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    description["config"]["width"] = 128
    (tmp_path / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(RunError, match="a description that matches its weights") as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("saved", models(), ids=lambda saved: type(saved.model).__name__)
def test_a_bundle_says_in_one_line_what_it_is(saved: Pretrained) -> None:
    text = repr(saved)
    assert text.startswith("Pretrained(")
    assert "3 channels of 28 × 32" in text
    assert "\n" not in text


def test_a_bundle_is_saved_and_moved(tmp_path: Path) -> None:
    saved = models()[0]
    assert saved.to("meta") is saved
    assert saved.device.type == "meta"
    saved = models()[0]
    saved.save(tmp_path / "run")
    for name, tensor in load_model(str(tmp_path / "run")).model.state_dict().items():
        torch.testing.assert_close(tensor, saved.model.state_dict()[name], rtol=0, atol=0)


def test_a_run_resizes_positions_as_the_library_of_its_weights(tmp_path: Path) -> None:
    inputs = InputSpec(1, 16, 16, (0.5,), (0.5,))
    network = ViT("nano", channels=1, image_size=16, learned=True, seed=0)
    start = Pretrained(network, inputs, resampling="bilinear", license="mit")
    start.save(tmp_path / "start")
    assert json.loads((tmp_path / "start" / "kakera.json").read_text())["resampling"] == "bilinear"
    expected = positions.resize(network.positions.detach(), network.grid, Grid(6, 6), "bilinear")
    assert torch.equal(load(tmp_path / "start", image_size=24).encoder.positions, expected)
    tuned = finetune(pictures(), init_from=tmp_path / "start", out=tmp_path / "run", **QUICK)
    assert (tuned.saved.resampling, load(tmp_path / "run").resampling) == ("bilinear", "bilinear")
    (tmp_path / "start" / "kakera.json").write_text(
        (tmp_path / "start" / "kakera.json").read_text().replace("bilinear", "nearest")
    )
    with pytest.raises(RunError, match="resampling: got 'nearest', expected one of bicubic"):
        load(tmp_path / "start")
