"""The published encoders, without network: models of the same configuration, made with transformers.

Depth and number of classes are cut; widths, patches, names and preprocessing are those of the repositories.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import save_file

from kakera.formats.hub import is_name
from kakera.formats.load import load
from kakera.formats.published import FIRST, LIGHT, PUBLISHED, published
from tests.formats.foreign.test_transformers import drawn, far

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CROP = {
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
}
FIVE: dict[str, Any] = {"id2label": {n: f"class {n}" for n in range(5)}}
SMALL: dict[str, Any] = {"hidden_size": 384, "num_attention_heads": 6}
TINY: dict[str, Any] = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}
DINOV2: dict[str, Any] = {"image_size": 518, "patch_size": 14}
# Configuration, its model, and what the preprocessor of the repository says; `depth` and `classes` are cut.
RECIPES: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any]]] = {
    "facebook/dinov2-small": (hf.Dinov2Config, hf.Dinov2Model, {**DINOV2, **SMALL}, {**IMAGENET, **CROP}),
    "facebook/dinov2-base": (hf.Dinov2Config, hf.Dinov2Model, DINOV2, {**IMAGENET, **CROP}),
    "google/vit-base-patch16-224-in21k": (hf.ViTConfig, hf.ViTModel, {}, {**HALF, "size": 224}),
    "facebook/deit-tiny-patch16-224": (
        hf.ViTConfig,
        hf.ViTForImageClassification,
        {**TINY, "num_labels": 1000},
        {**IMAGENET, "size": 256, "do_center_crop": True, "crop_size": 224},
    ),
    "facebook/vit-mae-base": (
        hf.ViTMAEConfig,
        hf.ViTMAEForPreTraining,
        {"norm_pix_loss": True},
        {**IMAGENET, "size": 224},
    ),
    "timm/vit_tiny_patch16_224.augreg_in21k": (
        hf.ViTConfig,
        hf.ViTForImageClassification,
        {**TINY, "layer_norm_eps": 1e-6, "num_labels": 21843},
        {},
    ),
    "timm/vit_small_patch16_224.augreg_in21k": (
        hf.ViTConfig,
        hf.ViTForImageClassification,
        {**SMALL, "intermediate_size": 1536, "layer_norm_eps": 1e-6, "num_labels": 21843},
        {},
    ),
    "MIT/ast-finetuned-audioset-10-10-0.4593": (
        hf.ASTConfig,
        hf.ASTForAudioClassification,
        {"num_labels": 527},
        {
            "num_mel_bins": 128,
            "max_length": 1024,
            "sampling_rate": 16000,
            "mean": -4.2677393,
            "std": 4.5689974,
        },
    ),
}

NEAR = 1e-8  # in float64; sums of weights that are stored together are rounded to float32


def whole(name: str) -> Any:
    config, kind, options, _ = RECIPES[name]
    return kind(config(**options))


def shallow(name: str) -> Any:
    """One layer, five classes; every weight is drawn, so that none is zero or one."""
    labels = FIVE if "num_labels" in RECIPES[name][2] else {}
    options = {key: value for key, value in RECIPES[name][2].items() if key != "num_labels"}
    inside = {"decoder_num_hidden_layers": 1} if name == "facebook/vit-mae-base" else {}
    config, kind = RECIPES[name][:2]
    return drawn(kind(config(**options, **labels, **inside, num_hidden_layers=1)))


def timm_names(model: Any) -> dict[str, torch.Tensor]:
    """The same tensors as timm's Vision Transformer calls them: queries, keys and values in one."""
    theirs, found = model.state_dict(), dict[str, torch.Tensor]()
    attention = [name for name in theirs if "q_proj" in name or "query" in name]
    modern = "q_proj" in attention[0]
    parts = ("q_proj", "k_proj", "v_proj") if modern else ("query", "key", "value")
    swaps = {
        "vit.embeddings.cls_token": "cls_token",
        "vit.embeddings.position_embeddings": "pos_embed",
        "vit.embeddings.patch_embeddings.projection": "patch_embed.proj",
        "vit.encoder.layer.": "blocks.",
        "vit.layers.": "blocks.",
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "attention.attention.": "attn.",
        "attention.output.dense": "attn.proj",
        "attention.o_proj": "attn.proj",
        "attention.q_proj": "attn.q_proj",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
        "vit.layernorm": "norm",
        "classifier": "head",
    }
    for name, tensor in theirs.items():
        if any(f"{part}." in name for part in parts[1:]):
            continue
        if f"{parts[0]}." in name:
            tensor = torch.cat([theirs[name.replace(parts[0], part)] for part in parts])
        for before, after in swaps.items():
            name = name.replace(before, after)
        found[name.replace(f"attn.{parts[0]}", "attn.qkv")] = tensor.contiguous()
    return found


def saved(name: str, theirs: Any, folder: Path) -> Path:
    """As the repository lies on the hub."""
    if not name.startswith("timm/"):
        theirs.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(RECIPES[name][3]))
        return folder
    folder.mkdir(exist_ok=True)
    config = {
        "architecture": name.removeprefix("timm/").partition(".")[0],
        "num_classes": 5,
        "num_features": theirs.config.hidden_size,
        "global_pool": "token",
        "pretrained_cfg": {
            "tag": "augreg_in21k",
            "custom_load": True,
            "input_size": [3, 224, 224],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 0.9,
            "crop_mode": "center",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "num_classes": 5,
            "pool_size": None,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(timm_names(theirs), folder / "model.safetensors")
    return folder


def test_every_row_is_tried() -> None:
    assert {row.name for row in PUBLISHED} == RECIPES.keys()


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.name)
def test_parameters_and_megabytes_are_those_of_the_architecture(row: Any) -> None:
    with torch.device("meta"):
        count = sum(tensor.numel() for tensor in whole(row.name).parameters())
    assert row.parameters == count
    assert row.megabytes == round(4 * count / 1e6)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.name)
def test_kakera_reads_it_and_gives_the_outputs_of_transformers(row: Any, tmp_path: Path) -> None:
    theirs = shallow(row.name)
    found = load(saved(row.name, theirs, tmp_path))
    assert found.inputs.size == row.size
    assert (found.inputs.sound is not None) == (row.kind == "recordings")
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(1, found.inputs.channels, *row.size, generator=draws).double()
    theirs, model = theirs.double(), found.model.double()  # rounding in float32 depends on the processor
    with torch.inference_mode():
        if row.name == "facebook/vit-mae-base":
            noise = torch.rand(1, 196, generator=draws)
            expected = theirs(x, noise=noise)
            assert abs(expected.loss - model(x, expected.mask.bool())) < NEAR
        elif row.kind == "recordings":
            assert far(theirs(x[:, 0].transpose(1, 2)).logits, model(x)) < NEAR
        else:
            expected = theirs(x)
            name = "logits" if "logits" in expected else "last_hidden_state"
            assert far(expected[name], model(x)) < NEAR


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.name)
def test_mean_and_deviation_are_those_of_the_repository(row: Any, tmp_path: Path) -> None:
    inputs = load(saved(row.name, shallow(row.name), tmp_path)).inputs
    if row.kind == "recordings":
        assert (inputs.mean, inputs.std) == ((-4.2677393,), (2 * 4.5689974,))
    else:
        expected = RECIPES[row.name][3] or HALF
        assert (list(inputs.mean), list(inputs.std)) == (expected["image_mean"], expected["image_std"])


def test_a_row_is_a_name_of_the_hub_with_facts_in_words() -> None:
    assert all(is_name(row.name) for row in PUBLISHED)
    assert published("facebook/dinov2-small").facts() == "88 MB, licence Apache-2.0"
    assert all(row.take.endswith(".") and row.trained_on for row in PUBLISHED)


def test_what_is_tried_first_is_in_the_table() -> None:
    assert {kind: published(name).kind for kind, name in FIRST.items()} == {kind: kind for kind in FIRST}
    assert published(LIGHT).megabytes < published(FIRST["pictures"]).megabytes


def test_licences_that_forbid_commerce_are_named() -> None:
    assert "NC" in published("facebook/vit-mae-base").licence


def test_the_docs_have_each_row() -> None:
    page = (Path(__file__).parents[2] / "docs" / "convert.md").read_text()
    for row in PUBLISHED:
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{row.name}`")]
        facts = (row.kind, f"{row.parameters / 1e6:.1f} million", f"{row.megabytes} MB", row.licence)
        assert all(f"| {fact} |" in line for fact in (*facts, row.trained_on, row.take))
