"""Files of weights alone: whose they are follows from what is in them."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.foreign import mae
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.grid import Grid
from kakera.model.mae import MAE
from kakera.model.positions import sincos
from tests.formats.foreign.test_mae import WIDTH, ours, weights


def note(content: Any, place: Path) -> str:
    torch.save(content, place / "file.pth")
    return load(place / "file.pth").notes[0]


def fixed() -> dict[str, Tensor]:
    return {**weights("class"), "pos_embed": sincos(Grid(3, 3), WIDTH)[None]}


def distilled() -> dict[str, Tensor]:
    tensors = weights("class")
    more = {"dist_token": tensors["cls_token"], "pos_embed": torch.zeros(1, 11, WIDTH)}
    return {**tensors, **more, "head_dist.weight": torch.ones(5, WIDTH), "head_dist.bias": torch.zeros(5)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"model": weights("mean")}, "a file of MAE's code, detected by the dictionary"),
        ({"model": weights()}, "a file of MAE's code, detected by the dictionary"),
        ({"model": fixed()}, "a file of MAE's code, detected by its sine and cosine position"),
        (
            {"model": weights("class"), "args": Namespace(model="vit_tiny")},
            "a file of MAE's code, detected by the options",
        ),
        (
            {"model": weights("class"), "args": Namespace(model="deit_tiny")},
            "a file of DeiT's code, detected by its class",
        ),
        ({"model": weights("class")}, "a file of DeiT's code, detected by its class token"),
        ({"model": distilled()}, "a file of DeiT's code, detected by its distillation token"),
        ({"model": weights(decoder=64)}, "a file of MAE's code, detected by its decoder"),
        (weights(decoder=64), "a file of MAE's code, detected by its decoder"),
        (fixed(), "a file of MAE's code, detected by its sine and cosine position"),
        (weights("class"), "timm state dict"),
        (weights("mean"), "timm state dict"),
        (
            {"state_dict": weights("class"), "arch": "vit_tiny_patch4_12", "epoch": 3},
            "timm vit_tiny_patch4_12",
        ),
        ({"state_dict": {f"module.{n}": t for n, t in weights("class").items()}}, "timm state dict"),
    ],
    ids=[
        "wrapper",
        "wrapped encoder",
        "wrapped positions",
        "options",
        "options of DeiT",
        "wrapped head",
        "distilled",
        "decoder",
        "bare decoder",
        "positions",
        "bare",
        "bare mean",
        "checkpoint",
        "parallel",
    ],
)
def test_maes_files_are_told_from_timms_by_what_is_in_them(content: Any, said: str, tmp_path: Path) -> None:
    assert note(content, tmp_path).startswith(said)


def test_only_maes_files_carry_the_licence_of_its_weights_and_imagenets_statistics(tmp_path: Path) -> None:
    torch.save(weights("class"), tmp_path / "timm.pth")
    torch.save({"model": weights("class"), "args": Namespace(model="vit_tiny")}, tmp_path / "mae.pth")
    torch.save({"model": weights("class")}, tmp_path / "deit.pth")
    deits = load(tmp_path / "deit.pth")
    assert (deits.inputs.mean, mae.LICENCE in deits.notes) == (mae.MEAN, False)
    timms, maes = load(tmp_path / "timm.pth"), load(tmp_path / "mae.pth")
    assert (timms.inputs.mean, maes.inputs.mean) == ((0.5,) * 3, mae.MEAN)
    assert mae.LICENCE in maes.notes
    assert mae.LICENCE not in timms.notes
    x = torch.randn(2, 3, 12, 12)
    with torch.inference_mode():
        assert torch.equal(timms.model(x), maes.model(x))
        assert torch.equal(timms.model(x), deits.model(x))


def test_a_safetensors_file_is_read_like_a_pickle(tmp_path: Path) -> None:
    save_file(weights(decoder=64), tmp_path / "file.safetensors")
    assert isinstance(load(tmp_path / "file.safetensors").model, MAE)


def test_the_weights_of_a_run_bring_the_run(tmp_path: Path) -> None:
    saved: Pretrained = ours()["class"]
    save_model(tmp_path, saved)
    found = load(tmp_path / "model.safetensors")
    assert (found.classes, found.inputs) == (saved.classes, saved.inputs)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"vit.embeddings.patch_embeddings.projection.weight": torch.zeros(1)}, "its config.json beside it"),
        ({"layer1.0.conv1.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}, "fc.weight, layer1.0.conv1"),
        ({**weights("class"), "pos_embed": torch.zeros(1, 12, WIDTH)}, "positions of a square picture"),
    ],
    ids=["transformers", "resnet", "oblong"],
)
def test_what_cannot_be_told_gets_one_line(tensors: dict[str, Tensor], said: str, tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "file.pth")
    with pytest.raises(RunError) as caught:
        load(tmp_path / "file.pth")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "file.gguf").write_bytes(b"x")
    with pytest.raises(RunError, match="a file of type .gguf"):
        load(tmp_path / "file.gguf")
