"""Vision encoders made with transformers, saved by it, loaded here: the same tokens and attention."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor

from kakera.errors import RunError
from kakera.explain.activations import encode
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.model.classifier import Classifier, Pooling, pool_tokens
from tests.formats.foreign.test_transformers import drawn, far, pictures

SMALL: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": 12,
    "patch_size": 4,
}
RATIO: dict[str, Any] = {name: value for name, value in SMALL.items() if name != "intermediate_size"}
TEXT = {"vocab_size": 9, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
TEXT |= {"num_attention_heads": 2}
LABELS = {0: "ant", 1: "bee", 2: "çicada"}
LISTS = {**SMALL, "num_patches": 9}
Make = Callable[[], Any]
MODELS: dict[str, tuple[Make, Pooling | None]] = {
    "MSN": (lambda: hf.ViTMSNModel(hf.ViTMSNConfig(**SMALL)), None),
    "I-JEPA": (lambda: hf.IJepaModel(hf.IJepaConfig(**SMALL)), None),
    "TIPSv2": (lambda: hf.Tipsv2VisionModel(hf.Tipsv2VisionConfig(**RATIO)), "class"),
    "TIPSv2, gated": (
        lambda: hf.Tipsv2VisionModel(hf.Tipsv2VisionConfig(**RATIO, use_swiglu_ffn=True)),
        "class",
    ),
    "TIPSv2, no registers": (
        lambda: hf.Tipsv2VisionModel(hf.Tipsv2VisionConfig(**RATIO, num_register_tokens=0)),
        "class",
    ),
    "CLIP": (lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**SMALL)), "class"),
    "CLIP, exact GELU": (
        lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**SMALL, hidden_act="gelu")),
        "class",
    ),
    "SigLIP": (lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**SMALL)), "attention"),
    "Pixio": (lambda: hf.PixioModel(hf.PixioConfig(**RATIO)), "class"),
    "DINOv3": (lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**SMALL, num_register_tokens=3)), "class"),
    "DINOv3, no registers": (lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**SMALL)), "class"),
    "DINOv3, gated": (
        lambda: hf.DINOv3ViTModel(
            hf.DINOv3ViTConfig(**SMALL, num_register_tokens=2, use_gated_mlp=True, hidden_act="silu")
        ),
        "class",
    ),
    "DINOv3, no biases": (
        lambda: hf.DINOv3ViTModel(
            hf.DINOv3ViTConfig(**SMALL, query_bias=False, value_bias=False, proj_bias=False, mlp_bias=False)
        ),
        "class",
    ),
}
WHOLE: dict[str, Make] = {
    "CLIP": lambda: hf.CLIPModel(hf.CLIPConfig(text_config=TEXT, vision_config=SMALL)),
    "SigLIP": lambda: hf.SiglipModel(hf.SiglipConfig(text_config=TEXT, vision_config=SMALL)),
}
FIXED = ("CLIP", "CLIP, exact GELU", "SigLIP", "MSN", "I-JEPA")  # these need interpolate_pos_encoding


def made(name: str, dtype: torch.dtype = torch.float32) -> Any:
    return drawn(MODELS[name][0]()).to(dtype)


def saved(theirs: Any, place: Path, dtype: torch.dtype = torch.float32, **options: Any) -> Pretrained:
    theirs.save_pretrained(place)
    return load(place, dtype=dtype, **options)


def colours(size: int = 12) -> Tensor:
    return pictures(channels=3, size=(size, size))


def tokens(theirs: Any, x: Tensor, **options: Any) -> Tensor:
    """Their tokens after the final norm, which CLIP applies to its class token only."""
    found = theirs(x, **options).last_hidden_state
    return theirs.post_layernorm(found) if isinstance(theirs, hf.CLIPVisionModel) else found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_tokens_and_pooled_output_are_those_of_transformers(
    name: str, dtype: torch.dtype, most: float, tmp_path: Path
) -> None:
    theirs, pool, x = made(name, dtype), MODELS[name][1], colours().to(dtype)
    most = 1e-5 if name.startswith("DINOv3") else most  # transformers computes its angles in float32
    ours = saved(theirs, tmp_path, dtype)
    with torch.inference_mode():
        assert far(ours.model(x), tokens(theirs, x)) < most
        if pool is not None:
            found = pool_tokens(ours.encoder, ours.encoder.tokens(x), pool)
            assert far(found, theirs(x).pooler_output) < most


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [8, 20])
def test_another_picture_size_gives_the_tokens_of_transformers(name: str, size: int, tmp_path: Path) -> None:
    theirs, x = made(name), colours(size)
    ours = saved(theirs, tmp_path, image_size=size)
    options = {"interpolate_pos_encoding": True} if name in FIXED else {}
    with torch.inference_mode():
        assert far(ours.model(x), tokens(theirs, x, **options)) < 1e-5


def test_rotary_positions_of_an_oblong_picture_are_those_of_transformers(tmp_path: Path) -> None:
    theirs, x = made("DINOv3"), pictures(channels=3, size=(8, 20))
    ours = saved(theirs, tmp_path, image_size=(8, 20))
    with torch.inference_mode():
        assert far(ours.model(x), tokens(theirs, x)) < 1e-5


def test_names_that_dinov3_has_in_memory_are_read(tmp_path: Path) -> None:
    theirs, x = made("DINOv3"), colours()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    with torch.inference_mode():
        assert far(load(tmp_path).model(x), tokens(theirs, x)) < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_the_attention_is_that_of_transformers(name: str, tmp_path: Path) -> None:
    theirs, x = made(name), colours()[:1]
    ours = saved(theirs, tmp_path)
    theirs.set_attn_implementation("eager")
    seen = encode(ours.encoder, ours.inputs, ours.inputs.denormalize(x)[0])
    with torch.inference_mode():
        expected = torch.stack(theirs(x, output_attentions=True).attentions)[:, 0]
    assert np.abs(seen.attention - expected.numpy()).max() < 1e-5


@pytest.mark.parametrize("name", WHOLE)
def test_of_a_model_with_a_text_encoder_the_vision_encoder_is_read(name: str, tmp_path: Path) -> None:
    theirs = drawn(WHOLE[name]())
    ours, x = saved(theirs, tmp_path), colours()
    with torch.inference_mode():
        found = theirs.vision_model(x).pooler_output
        pool: Pooling = "attention" if name == "SigLIP" else "class"
        assert far(pool_tokens(ours.encoder, ours.encoder.tokens(x), pool), found) < 1e-5
    assert "only the vision encoder is used" in " ".join(ours.notes)


@pytest.mark.parametrize("name", ["CLIP", "SigLIP"])
def test_names_with_the_prefix_of_older_versions_are_read(name: str, tmp_path: Path) -> None:
    before = saved(made(name), tmp_path)
    file = tmp_path / "model.safetensors"
    older = {f"vision_model.{key}": tensor for key, tensor in load_file(file).items()}
    if name == "CLIP":  # older versions stored these numbers, too
        older["vision_model.embeddings.position_ids"] = torch.arange(10)[None]
        older["visual_projection.weight"] = torch.zeros(4, 24)
    save_file(older, file)
    after = load(tmp_path)
    pairs = zip(before.model.state_dict().values(), after.model.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert ("the projection to the space of the texts is left out" in after.notes) == (name == "CLIP")


CLASSIFIERS: dict[str, tuple[Make, Pooling]] = {
    "MSN": (lambda: hf.ViTMSNForImageClassification(hf.ViTMSNConfig(**SMALL, id2label=LABELS)), "class"),
    "I-JEPA": (
        lambda: hf.IJepaForImageClassification(hf.IJepaConfig(**SMALL, id2label=LABELS)),
        "normed mean",
    ),
    "SigLIP": (
        lambda: hf.SiglipForImageClassification(
            hf.SiglipConfig(text_config=TEXT, vision_config=SMALL, id2label=LABELS)
        ),
        "normed mean",
    ),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_a_classifier_gives_the_same_scores(
    name: str, dtype: torch.dtype, most: float, tmp_path: Path
) -> None:
    theirs, x = drawn(CLASSIFIERS[name][0]()).to(dtype), colours().to(dtype)
    ours = saved(theirs, tmp_path, dtype)
    assert isinstance(ours.model, Classifier)
    assert (ours.model.pool, ours.classes) == (CLASSIFIERS[name][1], tuple(LABELS.values()))
    with torch.inference_mode():
        assert far(ours.model(x), theirs(x).logits) < most


def test_siglip_2_with_lists_of_patches_gives_the_same_output_for_a_fixed_shape(tmp_path: Path) -> None:
    theirs = drawn(hf.Siglip2VisionModel(hf.Siglip2VisionConfig(**LISTS)))
    ours, x = saved(theirs, tmp_path), colours()
    for size in ((12, 12), (20, 20), (8, 20)):
        grid, x = (size[0] // 4, size[1] // 4), colours(20)[..., : size[0], : size[1]]
        lists = x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).reshape(2, -1, 48)
        mask, shapes = torch.ones(lists.shape[:2]), torch.tensor([grid, grid])
        changed = load(tmp_path, image_size=size)
        with torch.inference_mode():
            expected = theirs(lists, mask, shapes)
            assert far(changed.model(x), expected.last_hidden_state) < 1e-5
            found = pool_tokens(changed.encoder, changed.encoder.tokens(x), "attention")
            assert far(found, expected.pooler_output) < 1e-5
    assert ours.inputs.size == (12, 12)
    assert "NaFlex" in " ".join(ours.notes)


PROCESSORS: dict[str, tuple[str, Any]] = {
    "CLIP": ("CLIP", lambda: hf.CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size=12)),
    "SigLIP": ("SigLIP", lambda: hf.SiglipImageProcessorPil(size={"height": 12, "width": 12})),
    "Pixio": ("Pixio", lambda: hf.BitImageProcessorPil(size={"shortest_edge": 12}, crop_size=12)),
}


@pytest.mark.parametrize("described", [True, False], ids=["described", "assumed"])
@pytest.mark.parametrize("name", PROCESSORS)
def test_pictures_are_prepared_as_by_the_image_processor(name: str, described: bool, tmp_path: Path) -> None:
    processor = PROCESSORS[name][1]()
    made(name).save_pretrained(tmp_path)
    if described:
        processor.save_pretrained(tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (21, 30, 3), dtype=np.uint8)
    expected = torch.from_numpy(np.asarray(processor(picture)["pixel_values"]))
    ours = load(tmp_path)
    assert far(ours.prepare(picture), expected) < 2e-2  # one step of 255, divided by the deviation
    assert any("no preprocessor_config.json" in note for note in ours.notes) != described


def test_an_image_processor_inside_the_description_of_a_processor_is_used(tmp_path: Path) -> None:
    made("CLIP").save_pretrained(tmp_path)
    inside = {"image_processor_type": "CLIPImageProcessor", "image_mean": [0.1, 0.2, 0.3]}
    inside |= {"image_std": [1.0, 1.0, 1.0], "size": {"shortest_edge": 12}, "crop_size": 12}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": inside}))
    assert load(tmp_path).inputs.mean == (0.1, 0.2, 0.3)


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "depth": ("CLIP", {"num_hidden_layers": 3}, "missing"),
    "fewer layers": ("SigLIP", {"num_hidden_layers": 1}, "unknown"),
    "heads": ("Pixio", {"num_attention_heads": 5}, "5"),
    "activation": ("CLIP", {"hidden_act": "relu"}, "hidden_act: got relu"),
    "class tokens": ("Pixio", {"n_cls_tokens": 4}, "cls_token"),
    "size": ("I-JEPA", {"image_size": 16}, "position_embeddings of shape 9 x 24"),
    "patches": ("SigLIP", {"patch_size": 6}, "axes"),
    "gate": (
        "DINOv3, gated",
        {"hidden_act": "gelu"},
        "hidden_act: got gelu, expected silu with use_gated_mlp",
    ),
    "registers": ("DINOv3", {"num_register_tokens": 1}, "register_tokens of shape 3 x 24"),
    "angles": ("DINOv3", {"num_attention_heads": 4}, "a multiple of 4 for rotary positions"),
    "negative base": ("DINOv3", {"rope_theta": -1}, "rope_theta: got -1, expected a positive number"),
    "no biases": ("DINOv3", {"query_bias": False, "value_bias": False}, "k_proj.bias"),
    "no query biases": ("TIPSv2", {"qkv_bias": False}, "unknown"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_configuration_of_another_model_is_one_line(case: str, tmp_path: Path) -> None:
    name, changes, words = WRONG[case]
    made(name).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(RunError) as raised:
        load(tmp_path)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("CLIP", "pre_layrnorm.weight pre_layrnorm.bias"),
        ("CLIP", "q_proj.bias k_proj.bias v_proj.bias"),
        ("SigLIP", "q_proj.bias k_proj.bias v_proj.bias"),
        ("TIPSv2", "attn.qkv.bias"),
        ("TIPSv2", "ls1.gamma ls2.gamma"),
        ("DINOv3", "lambda1"),
        ("DINOv3", "layer.1.attention.q_proj.bias"),
        ("DINOv3", "layer.1.attention.o_proj.bias"),
        ("DINOv3", "layer.1.mlp.up_proj.bias"),
    ],
)
def test_tensors_that_transformers_would_draw_at_random_are_not_left_out_in_silence(
    name: str, end: str, tmp_path: Path
) -> None:
    made(name).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    left = {key: t for key, t in load_file(file).items() if not key.endswith(tuple(end.split()))}
    save_file(left, file)
    _, report = type(MODELS[name][0]()).from_pretrained(tmp_path, output_loading_info=True)
    assert report["missing_keys"]
    with pytest.raises(RunError, match="missing|unknown"):
        load(tmp_path)


def test_an_unknown_tensor_beside_the_vision_encoder_is_refused(tmp_path: Path) -> None:
    drawn(WHOLE["CLIP"]()).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    save_file({**load_file(file), "adapter.weight": torch.ones(2)}, file)
    with pytest.raises(RunError, match="adapter.weight"):
        load(tmp_path)


def test_a_classifier_of_clip_is_refused_in_one_line(tmp_path: Path) -> None:
    config = hf.CLIPConfig(text_config=TEXT, vision_config=SMALL, id2label=LABELS)
    hf.CLIPForImageClassification(config).save_pretrained(tmp_path)
    with pytest.raises(RunError, match="fine-tune the CLIP model itself"):
        load(tmp_path)
