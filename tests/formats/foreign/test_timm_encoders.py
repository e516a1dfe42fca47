"""Encoders made with timm (`make_timm_encoders.py`): the same tokens and outputs here."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from kakera.errors import RunError
from kakera.formats.folder import write_folder
from kakera.formats.foreign.timm_writer import files
from kakera.formats.load import load
from kakera.model.classifier import Classifier, Pooling, default_pool, pool_tokens
from tests.formats.foreign.test_transformers import far

FILE = Path(__file__).parents[1] / "files" / "timm_encoders.safetensors"
with safe_open(FILE, "pt") as opened:
    CONFIGS: dict[str, dict[str, Any]] = json.loads(opened.metadata()["configs"])
    KEPT = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # an open file is no dict
POOLS: dict[str, Pooling] = {
    "gap": "normed mean",
    "gap before the norm": "mean",
    "CLIP": "class",
    "CLIP, QuickGELU": "class",
    "SigLIP": "attention",
    "SigLIP, tanh": "attention",
    "SigLIP, gap": "normed mean",
    "pooling without registers": "attention",
    "registers, before the norm": "mean",
    "ROPE, before the norm": "mean",
    "ROPE": "normed mean",
    "EVA-02, before the norm": "mean",
    "EVA-02": "normed mean",
    "DINOv3": "normed mean",
    "DINOv3, biases": "normed mean",
    "DINOv3, gated": "normed mean",
}
ROTARY = [case for case in CONFIGS if case.startswith(("DINOv3", "ROPE", "EVA-02"))]


def folder(case: str, place: Path, dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text(json.dumps({**CONFIGS[case], **changes}))
    save_file({name: tensor.to(dtype) for name, tensor in weights(case).items()}, place / "model.safetensors")
    return place


def weights(case: str) -> dict[str, Tensor]:
    start = f"{case}/weights/"
    return {name.removeprefix(start): tensor for name, tensor in KEPT.items() if name.startswith(start)}


def wider(case: str) -> dict[str, Tensor]:
    """Weights in the shapes of timm's smallest size, which tells the number of heads."""
    sizes = {24: 192, 72: 576, 96: 768}
    return {name: torch.zeros(*(sizes.get(n, n) for n in t.shape)) for name, t in weights(case).items()}


def least(case: str) -> float:
    """timm computes the angles of rotary positions in float32."""
    return 1e-5 if case in ROTARY else 1e-10


@pytest.mark.parametrize("case", CONFIGS)
def test_tokens_and_outputs_are_those_of_timm(case: str, tmp_path: Path) -> None:
    x = KEPT[f"{case}/input"]
    for dtype, most in ((torch.float32, 1e-5), (torch.float64, least(case))):
        ours = load(folder(case, tmp_path / str(dtype), dtype), dtype=dtype)
        with torch.inference_mode():
            if "before the norm" not in case:  # timm's tokens are those before this norm
                assert far(ours.encoder(x.to(dtype)).double(), KEPT[f"{case}/tokens"]) < most
            if isinstance(ours.model, Classifier):
                assert far(ours.model(x.to(dtype)).double(), KEPT[f"{case}/output"]) < most
    assert ours.model.pool == POOLS.get(case)


@pytest.mark.parametrize("case", [case for case in CONFIGS if case.endswith("encoder")])
def test_the_pooled_output_of_an_encoder_is_that_of_timm(case: str, tmp_path: Path) -> None:
    ours, x = load(folder(case, tmp_path)), KEPT[f"{case}/input"]
    pool: Pooling = {"CLIP": "class", "SigLIP": "attention"}.get(case.split(",")[0], "normed mean")
    with torch.inference_mode():
        pooled = pool_tokens(ours.encoder, ours.encoder.tokens(x), pool)
    assert far(pooled.double(), KEPT[f"{case}/output"]) < 1e-5


@pytest.mark.parametrize(
    "case", ["registers, before the norm", "registers, encoder", "pooling without registers"]
)
def test_registers_without_class_token_stay_registers(case: str, tmp_path: Path) -> None:
    """What an embedding reads without a choice is then no register."""
    shape = load(folder(case, tmp_path)).encoder.config
    assert (shape.class_tokens, shape.registers) == (0, weights(case)["reg_token"].shape[1])
    assert default_pool(shape) == ("attention" if "pooling" in case else "mean")


@pytest.mark.parametrize("size", [(8, 8), (12, 20)])
@pytest.mark.parametrize("case", CONFIGS)
def test_another_picture_size_gives_the_tokens_of_timm(
    case: str, size: tuple[int, int], tmp_path: Path
) -> None:
    if "before the norm" in case:
        return
    ours = load(folder(case, tmp_path), image_size=size)
    start = f"{case}/{size[0]} x {size[1]}"
    with torch.inference_mode():
        assert far(ours.encoder(KEPT[f"{start}/input"]).double(), KEPT[f"{start}/tokens"]) < 1e-5


@pytest.mark.parametrize("case", [case for case in CONFIGS if case not in ROTARY])
def test_what_timm_made_is_written_with_the_same_bits(case: str, tmp_path: Path) -> None:
    start = folder(case, tmp_path / "theirs")
    first = load(start)
    write_folder(tmp_path / "ours", files(first))
    back = load(tmp_path / "ours")
    x = KEPT[f"{case}/input"]
    with torch.inference_mode():
        assert torch.equal(first.model(x), back.model(x))
    theirs, ours = load_file(start / "model.safetensors"), load_file(tmp_path / "ours/model.safetensors")
    assert theirs.keys() == ours.keys()
    if case != "pooling without registers":  # the positions of its registers are a part of them here
        assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    asked = json.loads((tmp_path / "ours/config.json").read_text())["model_args"]
    assert asked["global_pool"] == CONFIGS[case]["global_pool"]


@pytest.mark.parametrize("case", ROTARY)
def test_rotary_positions_are_refused_by_the_writer_in_one_line(case: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="rotary positions"):
        files(load(folder(case, tmp_path)))


def test_weights_of_openai_under_an_architecture_with_gelu_get_a_warning(tmp_path: Path) -> None:
    cfg = CONFIGS["CLIP"]["pretrained_cfg"]
    plain = load(folder("CLIP", tmp_path / "plain", pretrained_cfg={**cfg, "tag": "laion2b"}))
    openai = load(folder("CLIP", tmp_path / "openai", pretrained_cfg={**cfg, "tag": "openai"}))
    assert not any("QuickGELU" in note for note in plain.notes)
    assert any(note.startswith("warning") and "quick_gelu" in note for note in openai.notes)
    unnamed = tmp_path / "clip.pth"
    torch.save(wider("CLIP"), unnamed)
    assert any("may have been trained with QuickGELU" in note for note in load(unnamed).notes)


def test_the_exact_gelu_of_timms_siglip_is_told(tmp_path: Path) -> None:
    notes = [" ".join(load(folder(case, tmp_path / case)).notes) for case in ("SigLIP", "SigLIP, tanh")]
    assert ["transformers uses the tanh form" in text for text in notes] == [True, False]


@pytest.mark.parametrize(
    ("case", "changes", "said"),
    [
        (
            "gap",
            {"architecture": "vit_base_patch16_rope_reg1_gap_256"},
            "rope_reg1_gap_256 with other positions",
        ),
        ("ROPE", {"architecture": "vit_small_patch16_rope_224"}, "patch16_rope_224 with other positions"),
        ("ROPE", {"architecture": "vit_small_patch16_rope_mixed_224"}, "rope_mixed_224 with other positions"),
        ("CLIP", {"architecture": "vit_pe_core_base_patch16_224"}, "vit_pe_core_base_patch16_224"),
        (
            "DINOv3",
            {"architecture": "eva02_small_patch14_224"},
            "eva02_small_patch14_224 with other positions",
        ),
        ("EVA-02", {"architecture": "eva02_base_patch16_clip_224"}, "patch16_clip_224 with other positions"),
        ("SigLIP", {"global_pool": "token"}, "token pooling"),
        ("CLIP", {"global_pool": "map"}, "map pooling"),
    ],
)
def test_another_architecture_is_named_in_one_line(
    case: str, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError) as raised:
        load(folder(case, tmp_path, **changes))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("case", "more", "said"),
    [
        ("DINOv3", {"rope_type": "cat"}, "rope_type: got cat, expected dinov3"),
        ("ROPE", {"rope_type": "mixed"}, "rope_type: got mixed, expected cat"),
        ("ROPE", {"rope_grid_indexing": "xy"}, "rope_grid_indexing: got xy"),
        ("ROPE", {"ref_feat_shape": [4, 5]}, "ref_feat_shape: got 4 × 5, expected a square"),
        ("ROPE", {"ref_feat_shape": None}, "ref_feat_shape"),
        ("DINOv3", {"rope_grid_offset": 0.1}, "rope_grid_offset: got 0.1"),
        ("DINOv3", {"rope_grid_indexing": "xy"}, "rope_grid_indexing: got xy"),
        ("DINOv3", {"rope_rotate_half": False}, "rope_rotate_half: got False"),
        ("DINOv3", {"use_rot_pos_emb": False}, "use_rot_pos_emb: got False"),
        ("DINOv3", {"use_post_norm": True}, "use_post_norm: got True"),
        ("DINOv3", {"dynamic_img_pad": True, "img_size": 14}, "dynamic_img_pad"),
        ("pooling without registers", {"pool_include_prefix": True}, "pooled beside the patches"),
        ("CLIP", {"norm_layer": "rmsnorm"}, "norm_layer: got rmsnorm, expected layernorm"),
    ],
)
def test_options_that_change_no_tensor_but_the_outputs_of_timm_are_refused(
    case: str, more: dict[str, Any], said: str, tmp_path: Path
) -> None:
    args = {**CONFIGS[case]["model_args"], **more}
    with pytest.raises(RunError) as raised:
        load(folder(case, tmp_path, model_args=args))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_test_vit3_pools_its_register_beside_the_patches_and_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="test_vit3.*pooled beside the patches"):
        load(folder("pooling without registers", tmp_path, architecture="test_vit3"))


def test_the_base_of_rotary_positions_is_that_of_the_configuration(tmp_path: Path) -> None:
    args = {**CONFIGS["DINOv3"]["model_args"], "rope_temperature": 50.0}
    assert load(folder("DINOv3", tmp_path, model_args=args)).encoder.config.rotary == 50.0


@pytest.mark.parametrize(
    ("architecture", "more", "expected"),
    [
        ("vit_base_patch16_clip_224", {}, 1e-5),
        ("vit_base_patch16_clip_224", {"norm_layer": "layernorm"}, 1e-6),
        ("vit_base_patch16_224", {"pre_norm": True}, 1e-6),
    ],
)
def test_the_epsilon_of_the_norms_is_that_of_timm(
    architecture: str, more: dict[str, Any], expected: float, tmp_path: Path
) -> None:
    args = {**CONFIGS["CLIP"]["model_args"], **more}
    ours = load(folder("CLIP", tmp_path, architecture=architecture, model_args=args))
    assert ours.encoder.config.block.epsilon == expected


def test_a_state_dict_of_dinov3_alone_is_read(tmp_path: Path) -> None:
    file = tmp_path / "dinov3.safetensors"
    save_file(wider("DINOv3, encoder"), file)
    found = load(file)
    assert (found.encoder.config.rotary, found.encoder.config.registers, found.inputs.size) == (
        100.0,
        4,
        (256, 256),
    )


def test_pictures_that_patches_do_not_cover_lose_the_rest(tmp_path: Path) -> None:
    args = {**CONFIGS["SigLIP"]["model_args"], "img_size": 14}
    found = load(folder("SigLIP", tmp_path, model_args=args))
    assert found.inputs.size == (12, 12)
    assert any("kakera reads 12 × 12" in note for note in found.notes)
