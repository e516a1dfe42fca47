"""DINOv2 of transformers, with registers and without: the same tokens and scores."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import save_file

from kakera.formats.load import load
from kakera.model.classifier import Classifier
from tests.formats.foreign.test_transformers import (
    LABELS,
    SMALL,
    drawn,
    far,
    pictures,
    read_without_memory,
    same_outputs,
    saved,
)

KINDS = {
    "plain": (hf.Dinov2Config, hf.Dinov2Model, hf.Dinov2ForImageClassification),
    "registers": (
        hf.Dinov2WithRegistersConfig,
        hf.Dinov2WithRegistersModel,
        hf.Dinov2WithRegistersForImageClassification,
    ),
}
OPTIONS: dict[str, Any] = {**SMALL, "mlp_ratio": 2, "image_size": 8, "patch_size": 2}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gated", [False, True], ids=["GELU", "SwiGLU"])
def test_a_bare_model_gives_the_same_tokens(kind: str, gated: bool, tmp_path: Path) -> None:
    config, model, _ = KINDS[kind]
    theirs = drawn(model(config(**OPTIONS, use_swiglu_ffn=gated)))
    found = load(saved(theirs, tmp_path))
    assert (found.encoder.config.registers, found.encoder.config.block.gated) == (
        4 * (kind != "plain"),
        gated,
    )
    same_outputs(theirs, tmp_path, pictures(size=(8, 8)), "last_hidden_state")


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_gives_the_same_scores(kind: str, tmp_path: Path) -> None:
    config, _, model = KINDS[kind]
    theirs = drawn(model(config(**OPTIONS, id2label=LABELS)))
    found = load(saved(theirs, tmp_path))
    assert isinstance(found.model, Classifier)
    assert found.classes == tuple(LABELS.values())
    same_outputs(theirs, tmp_path, pictures(size=(8, 8)), "logits")


@pytest.mark.parametrize("kind", KINDS)
def test_the_names_of_version_5_are_read_like_those_of_the_hub(kind: str, tmp_path: Path) -> None:
    config, model, _ = KINDS[kind]
    theirs = drawn(model(config(**OPTIONS, use_swiglu_ffn=True)))
    before = load(saved(theirs, tmp_path)).model.state_dict()
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    after = load(tmp_path).model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_model_gives_the_same_tokens(kind: str, tmp_path: Path) -> None:
    config, model, _ = KINDS[kind]
    torch.manual_seed(0)
    theirs = model(config(image_size=112, patch_size=14, num_hidden_layers=2)).eval()
    same_outputs(theirs, tmp_path, pictures(1, 3, (112, 112)), "last_hidden_state", None)


@pytest.mark.parametrize("kind", KINDS)
def test_all_names_and_shapes_of_a_whole_base_model_are_read(kind: str) -> None:
    config, model, _ = KINDS[kind]
    shape = read_without_memory(lambda: model(config(image_size=112, patch_size=14))).encoder.config
    assert (shape.width, shape.depth) == (768, 12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(12, 12), (16, 8), (6, 6)], ids=["larger", "2 to 1", "smaller"])
def test_another_size_gives_what_theirs_gives_for_it(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    config, model, _ = KINDS[kind]
    theirs = drawn(model(config(**OPTIONS)))
    ours, x = load(saved(theirs, tmp_path), image_size=size), pictures(size=size)
    with torch.inference_mode():
        assert far(theirs(x).last_hidden_state, ours.model(x)) < 1e-5
    assert any("position embeddings resized from 8 × 8" in note for note in ours.notes)


def test_pictures_are_taken_in_the_size_that_the_preprocessing_cuts_them_to(tmp_path: Path) -> None:
    crop = {"do_center_crop": True, "crop_size": {"height": 4, "width": 4}}
    theirs = drawn(hf.Dinov2Model(hf.Dinov2Config(**OPTIONS)))
    folder = saved(theirs, tmp_path, {"image_mean": [0.1, 0.2], "image_std": [0.3, 0.4], **crop})
    assert json.loads((folder / "config.json").read_text())["image_size"] == 8
    ours, x = load(folder), pictures(size=(4, 4))
    assert ours.inputs.size == (4, 4)
    with torch.inference_mode():
        assert far(theirs(x).last_hidden_state, ours.model(x)) < 1e-5
    assert load(folder, image_size=8).inputs.size == (8, 8)
