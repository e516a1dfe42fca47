"""Makes `files/timm_encoders.safetensors` with the real timm, as `make_timm_file.py` does for plain ViTs.

Each case is a small model of an architecture: its weights, an input, and the tokens, the output, and for two
other sizes the tokens of timm in float64.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.formats.make_timm_file import drawn  # first of all: it stands in for torchvision

import timm  # isort: skip
import torch  # isort: skip
from safetensors.torch import save_file  # isort: skip
from timm.models import save_for_hf  # isort: skip

SMALL = {"img_size": 12, "patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3}
HEAD = {"num_classes": 3}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gap": ("vit_medium_patch16_gap_240", HEAD),
    "gap before the norm": ("vit_medium_patch16_gap_240", {**HEAD, "fc_norm": True}),
    "gap, encoder": ("vit_medium_patch16_gap_240", {"num_classes": 0}),
    "CLIP": ("vit_base_patch16_clip_224", HEAD),
    "CLIP, QuickGELU": ("vit_base_patch16_clip_quickgelu_224", HEAD),
    "CLIP, encoder": ("vit_base_patch16_clip_224", {"num_classes": 0}),
    "SigLIP": ("vit_base_patch16_siglip_224", HEAD),
    "SigLIP, tanh": ("vit_base_patch32_siglip_256", HEAD),
    "SigLIP, encoder": ("vit_base_patch16_siglip_224", {"num_classes": 0}),
    "SigLIP, gap": ("vit_base_patch16_siglip_gap_224", HEAD),
    "pooling without registers": ("vit_so150m_patch16_reg4_map_256", HEAD),
    "registers, before the norm": ("vit_wee_patch16_reg1_gap_256", HEAD),
    "registers, encoder": ("vit_betwixt_patch16_reg4_gap_256", {"num_classes": 0, "fc_norm": False}),
    "DINOv3": ("vit_small_patch16_dinov3", HEAD),
    "DINOv3, biases": ("vit_small_patch16_dinov3_qkvb", HEAD),
    "DINOv3, gated": ("vit_small_plus_patch16_dinov3", HEAD),
    "ROPE, before the norm": ("vit_medium_patch16_rope_reg1_gap_256", HEAD),
    "ROPE": (
        "vit_betwixt_patch16_rope_reg4_gap_256",
        {**HEAD, "use_fc_norm": False, "ref_feat_shape": (5, 5)},
    ),
    "ROPE, encoder": (
        "vit_mediumd_patch16_rope_reg1_gap_256",
        {"num_classes": 0, "use_fc_norm": False, "rope_temperature": 50.0},
    ),
    "EVA-02, before the norm": ("eva02_tiny_patch14_224", HEAD),
    "EVA-02": ("eva02_base_patch14_224", {**HEAD, "use_fc_norm": False, "ref_feat_shape": (5, 5)}),
    "EVA-02, encoder": ("eva02_small_patch14_224", {"num_classes": 0, "use_fc_norm": False}),
    "DINOv3, encoder": ("vit_small_patch16_dinov3", {"num_classes": 0}),
}
SIZES = ((8, 8), (12, 20))


def case(name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    architecture, options = CASES[name]
    options = {**SMALL, **options}
    model = timm.create_model(architecture, **options).eval()
    generator = torch.Generator().manual_seed(7)
    for parameter in model.parameters():
        parameter.data = drawn(tuple(parameter.shape), generator)
    x = torch.randn(2, 3, 12, 12, generator=generator)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        save_for_hf(model, folder, model_args=options)
        config = json.loads((Path(folder) / "config.json").read_text())
        found = {f"{name}/weights/{key}": value.clone() for key, value in model.state_dict().items()}
        model = model.double()
        found |= {f"{name}/input": x, f"{name}/output": model(x.double())}
        found[f"{name}/tokens"] = model.forward_features(x.double())
        for size in SIZES:
            other = torch.randn(1, 3, *size, generator=generator)
            changed = timm.create_model(architecture, **{**options, "img_size": size}).eval()
            changed.load_state_dict(timm_filter(model, changed))
            found[f"{name}/{size[0]} x {size[1]}/input"] = other
            found[f"{name}/{size[0]} x {size[1]}/tokens"] = changed.double().forward_features(other.double())
    return found, config


def timm_filter(model: torch.nn.Module, changed: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights for another size, resized by timm's own loading."""
    tensors = {name: value.float() for name, value in model.state_dict().items()}
    if "pos_embed" not in tensors:
        return tensors
    from timm.layers import resample_abs_pos_embed

    grid = changed.patch_embed.grid_size
    prefix = 0 if changed.no_embed_class else changed.num_prefix_tokens
    tensors["pos_embed"] = resample_abs_pos_embed(tensors["pos_embed"], list(grid), num_prefix_tokens=prefix)
    return tensors


if __name__ == "__main__":
    tensors: dict[str, torch.Tensor] = {}
    configs = {}
    for name in CASES:
        found, configs[name] = case(name)
        tensors |= found
    save_file(
        {key: value.contiguous() for key, value in tensors.items()},
        Path(__file__).parent / "files" / "timm_encoders.safetensors",
        {"timm": timm.__version__, "configs": json.dumps(configs)},
    )
