"""What PyTorch and training scripts put around weights is taken off: the same outputs, and a note."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import WEIGHTS, save_model
from kakera.formats.wrappers import unwrapped
from kakera.model.vit import ViT
from tests.formats.foreign.test_mae import HEADS, WIDTH, by_the_formula, weights
from tests.formats.foreign.test_timm import CONFIGS, KEPT
from tests.formats.foreign.test_timm import folder as timm_folder
from tests.formats.foreign.test_transformers import SMALL, drawn, far, pictures, saved
from tests.formats.foreign.test_transformers import pictures as drawn_pictures
from tests.formats.test_native import INPUTS, encoder

Wrap = Callable[[nn.Module], dict[str, Tensor]]


def parallel(model: nn.Module) -> dict[str, Tensor]:
    return nn.DataParallel(model).state_dict()


def compiled(model: nn.Module) -> dict[str, Tensor]:
    return torch.compile(model, backend="eager").state_dict()


def both(model: nn.Module) -> dict[str, Tensor]:
    return nn.DataParallel(torch.compile(model, backend="eager")).state_dict()


def averaged(model: nn.Module) -> dict[str, Tensor]:
    return AveragedModel(model).state_dict()


WRAPPERS: dict[str, tuple[Wrap, str]] = {
    "DataParallel": (parallel, 'removed "module." from'),
    "torch.compile": (compiled, 'removed "_orig_mod." from'),
    "both": (both, 'removed "_orig_mod." and "module." from'),
    "averaged": (averaged, "weights averaged over steps"),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_wrapped_model_of_transformers_gives_the_same_outputs(
    wrapper: str, suffix: str, tmp_path: Path
) -> None:
    wrap, note = WRAPPERS[wrapper]
    theirs, x = drawn(hf.ViTForImageClassification(hf.ViTConfig(**SMALL))), pictures()
    saved(theirs, tmp_path)
    tensors = wrap(theirs)
    (tmp_path / "model.safetensors").unlink()
    if suffix == "bin":
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    else:
        save_file(tensors, tmp_path / "model.safetensors")
    found = load(tmp_path)
    assert any(note in said for said in found.notes)
    with torch.inference_mode():
        assert far(theirs(x).logits, found.model(x)) < 1e-5


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_model_of_kakera_is_read_with_a_note(wrapper: str, tmp_path: Path) -> None:
    wrap, note = WRAPPERS[wrapper]
    ours = Pretrained(encoder(learned=True), INPUTS)
    save_model(tmp_path, ours)
    save_file(wrap(ours.model), tmp_path / WEIGHTS)
    found = load(tmp_path)
    assert any(note in said for said in found.notes)
    kept = ours.model.state_dict()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in found.model.state_dict().items())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "model."])
def test_a_wrapped_model_of_timm_gives_the_same_outputs(prefix: str, tmp_path: Path) -> None:
    tensors = load_file(timm_folder("token", tmp_path / "timm") / "model.safetensors")
    named = {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
    config = {"architecture": "x", **CONFIGS["token"]}
    (tmp_path / "timm" / "config.json").write_text(json.dumps(config))
    if prefix != "model.":  # of a folder the names are strict
        save_file(named, tmp_path / "timm" / "model.safetensors")
        with torch.inference_mode():
            found = load(tmp_path / "timm").model(KEPT["token/input"])
        assert far(found.double(), KEPT["token/output"]) < 1e-5
    torch.save({"state_dict": {f"{prefix}{n}": t for n, t in weights("class").items()}}, tmp_path / "x.pth")
    assert any(f'removed "{prefix.split(".")[0]}."' in note for note in load(tmp_path / "x.pth").notes)


def test_names_that_become_one_are_refused() -> None:
    with pytest.raises(RunError, match="got 2 tensors with 1 names after removing module") as caught:
        unwrapped({"a": torch.zeros(1), "module.a": torch.zeros(1)}, "file")
    assert "\n" not in str(caught.value)


def test_names_without_wrapping_stay_as_they_are_and_need_no_note() -> None:
    tensors = {"a.module_list.b": torch.zeros(1), "n_averaged": torch.ones(1)}
    assert unwrapped(tensors, "file") == (tensors, ())


def dino(head: str = "head.mlp.0.weight") -> dict[str, Tensor]:
    """One half of a checkpoint of self-distillation: a backbone, and the head of its pretraining."""
    return {**{f"backbone.{n}": t for n, t in weights().items()}, head: torch.ones(7, WIDTH)}


def nested(order: tuple[str, ...]) -> Any:
    halves = {"teacher": dino(), "student": {f"module.{n}": 2 * t for n, t in dino().items()}}
    return {**{name: halves[name] for name in order}, "epoch": 3, "optimizer": {"state": {}}}


def flat(order: tuple[str, ...]) -> Any:
    halves = {"teacher": dino(), "student": {n: 2 * t for n, t in dino().items()}}
    return {f"{half}.{name}": tensor for half in order for name, tensor in halves[half].items()}


@pytest.mark.parametrize("order", [("student", "teacher"), ("teacher", "student")])
@pytest.mark.parametrize("content", [nested, flat])
def test_of_a_student_and_a_teacher_the_teacher_is_read(
    content: Callable[[tuple[str, ...]], Any], order: tuple[str, ...], tmp_path: Path
) -> None:
    torch.save(content(order), tmp_path / "file.pth")
    found, x = load(tmp_path / "file.pth"), drawn_pictures(2, 3, (12, 12))
    assert isinstance(found.model, ViT)
    notes = "; ".join(found.notes)
    assert "teacher" in notes
    assert "not used (" in notes
    with torch.inference_mode():
        tokens = by_the_formula(weights(), x)
        norm = nn.functional.layer_norm(
            tokens, (WIDTH,), weights()["norm.weight"], weights()["norm.bias"], 1e-6
        )
        assert far(found.model(x), norm) < 1e-4


def test_where_there_is_only_a_student_it_is_read(tmp_path: Path) -> None:
    torch.save({"student": dino(), "epoch": 3}, tmp_path / "file.pth")
    found = load(tmp_path / "file.pth")
    assert any("student" in note for note in found.notes)
    assert torch.equal(found.model.state_dict()["norm.weight"], weights()["norm.weight"])


@pytest.mark.parametrize(
    "content",
    [weights(), {"teacher": weights()}, {"teacher": dino()}, {"state_dict": weights()}],
    ids=["bare", "teacher", "backbone", "wrapped"],
)
def test_an_encoder_without_a_head_has_imagenets_mean_and_deviation_as_dino(
    content: Any, tmp_path: Path
) -> None:
    """The numbers of DINO's own evaluation: pth_transforms.Normalize((0.485, …), (0.229, …))."""
    torch.save(content, tmp_path / "file.pth")
    found = load(tmp_path / "file.pth")
    assert (found.inputs.mean, found.inputs.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert any("0.485" in note and "assumed" in note for note in found.notes)
    assert found.encoder.config.heads == HEADS
