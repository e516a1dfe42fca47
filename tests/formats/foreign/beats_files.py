"""Tiny random BEATs, as its own code and ESPnet store them; the values are drawn with NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.sound.waves import noise, speech, tone

INSIDE, WIDTH, DEPTH, HEADS, KERNEL, GROUPS, BUCKETS = 16, 24, 3, 3, 16, 4, 32
VARIANTS = {  # options of its code
    "published": {"deep_norm": True, "relative_position_embedding": True, "gru_rel_pos": True},
    "ungated": {"deep_norm": False, "relative_position_embedding": True, "gru_rel_pos": False},
    "convolution": {"deep_norm": True, "relative_position_embedding": False, "gru_rel_pos": False},
    "no map": {"deep_norm": True, "relative_position_embedding": True, "gru_rel_pos": True},
}
CLIPS = (50, 16, 170, 400)  # frames: 3, 1, 10 and 25 columns of patches; the rest is cut off
SOUNDS = {
    "noise": noise(16_000, 0.3),
    "loud noise": noise(16_000, 0.3, level=1.0),
    "tone": tone(16_000, 0.3, 440) + 0.1,
    "quiet tone": tone(16_000, 0.3, 3000, 1e-3),
    "speech": speech(16_000, 0.4)[1600:],
}


def config(variant: str = "published") -> dict[str, Any]:
    sizes = {
        "input_patch_size": 16,
        "embed_dim": WIDTH if variant == "no map" else INSIDE,
        "encoder_layers": DEPTH,
        "encoder_embed_dim": WIDTH,
        "encoder_ffn_embed_dim": 40,
        "encoder_attention_heads": HEADS,
        "conv_pos": KERNEL,
        "conv_pos_groups": GROUPS,
        "num_buckets": BUCKETS,
        "max_distance": 100,
    }
    return {**sizes, **VARIANTS[variant]}


def weights(variant: str = "published", width: int = WIDTH, heads: int = HEADS) -> dict[str, Tensor]:
    """Its names and shapes, float64."""
    inside = width if variant == "no map" else INSIDE
    options = VARIANTS[variant]
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (inside, 1, 16, 16),
        "layer_norm.weight": (inside,),
        "layer_norm.bias": (inside,),
        "encoder.pos_conv.0.bias": (width,),
        "encoder.pos_conv.0.weight_g": (1, 1, KERNEL),
        "encoder.pos_conv.0.weight_v": (width, width // GROUPS, KERNEL),
        "encoder.layer_norm.weight": (width,),
        "encoder.layer_norm.bias": (width,),
    }
    if inside != width:
        shapes |= {"post_extract_proj.weight": (width, inside), "post_extract_proj.bias": (width,)}
    for number in range(DEPTH):
        layer = f"encoder.layers.{number}"
        maps = {f"self_attn.{part}_proj": (width, width) for part in ("q", "k", "v", "out")}
        maps |= {"fc1": (40, width), "fc2": (width, 40)}
        if options["gru_rel_pos"]:
            maps["self_attn.grep_linear"] = (8, width // heads)
            shapes[f"{layer}.self_attn.grep_a"] = (1, heads, 1, 1)
        for name, shape in maps.items():
            shapes |= {f"{layer}.{name}.weight": shape, f"{layer}.{name}.bias": shape[:1]}
        for name in ("self_attn_layer_norm", "final_layer_norm"):
            shapes |= {f"{layer}.{name}.{part}": (width,) for part in ("weight", "bias")}
    if options["relative_position_embedding"]:
        shapes["encoder.layers.0.self_attn.relative_attention_bias.weight"] = (BUCKETS, heads)
    draws = np.random.default_rng(3)
    drawn = {name: torch.from_numpy(0.2 * draws.standard_normal(shape)) for name, shape in shapes.items()}
    drawn |= {name: 1 + each for name, each in drawn.items() if "norm" in name and name.endswith("weight")}
    first = "encoder.layers.0.self_attn.relative_attention_bias.weight"
    if first in drawn:
        drawn[first] = 5 * drawn[first]
        drawn |= {first.replace(".0.", f".{number}."): drawn[first] for number in range(1, DEPTH)}
    return drawn


def clip(frames: int) -> Tensor:
    """Filter bank values (1, frames, bands), float64, before the normalisation."""
    return torch.from_numpy(15.4 + 6 * np.random.default_rng(frames).standard_normal((1, frames, 128)))


def head(count: int = 3) -> dict[str, Tensor]:
    draws = np.random.default_rng(4)
    return {
        "weight": torch.from_numpy(draws.standard_normal((count, WIDTH))),
        "bias": torch.from_numpy(draws.standard_normal(count)),
    }


def saved(w: dict[str, Tensor], layout: str, place: Path, cfg: dict[str, Any] | None = None) -> Path:
    """Write a file of BEATs' or OpenBEATs' code, a fine-tuned one, or one of ESPnet's."""
    content: dict[str, Any] = {"cfg": config() if cfg is None else cfg, "model": w}
    if layout == "OpenBEATs":
        pads = {"patch_embedding_pad.weight": (1, 1, 16, 16), "raw2fbank_pad.weight": (1, 1, 400)}
        content["model"] = {**w, **{name: torch.ones(shape) for name, shape in pads.items()}}
    if layout == "tuned":
        content["model"] = {**w, **{f"predictor.{name}": each for name, each in head().items()}}
        content["label_dict"] = {0: "/m/09x0r", 1: "/m/05zppz", 2: "/m/02zsn"}
    if layout == "ESPnet":
        named = {f"encoder.{name}": each for name, each in w.items()}
        content["model"] = {**named, **{f"decoder.linear_out.{name}": each for name, each in head().items()}}
        content["token_list"] = ["dog", "cat", "rain"]
    torch.save(content, place)
    return place
