"""Properties of timm's architectures that a `config.json` does not contain: they follow from the name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from kakera.errors import OptionError
from kakera.model.configs import Activation

# Number of heads by width in timm's sizes; width 1536 is DINOv2's.
HEADS = {
    **{64 * heads: heads for heads in (3, 4, 5, 6, 8, 10, 12, 13, 14, 16, 24)},
    **dict.fromkeys((1152, 1280, 1408, 1664), 16),
}
# Architectures with another number of heads than others of their width.
OTHER_HEADS = {
    "vit_base_patch16_gap": 16,
    "vit_huge_plus_patch16_dinov3": 20,
    "vit_7b_patch16_dinov3": 32,
    "vit_giantopt_patch16_siglip": 16,
}
ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "quickgelu": "quick_gelu",
}
# SigLIP's architectures with a tanh GELU; timm gives the others an exact one.
TANH = (
    "patch32_siglip",
    "so400m_patch16_siglip",
    "giantopt_patch16_siglip",
    "large_patch16_siglip_512",
    "large_patch16_siglip_gap_512",
)
# Parts of names of architectures with rotary or relative positions that kakera does not compute.
OTHER_POSITIONS = ("_rope_", "eva02", "vit_pe_", "relpos", "rpn")
ROTARY = 100.0  # base of DINOv3's rotary positions
# timm's own ViTs with rotary positions and EVA-02: their base, and the patches across at the trained size.
ROPE = re.compile(r"vit_[a-z]+_patch\d+_rope_reg\d+_gap_\d+|eva02_[a-z]+_patch\d+_\d+")
ROPE_BASE, ROPE_SPAN = 10_000.0, 16.0
# Options of timm that change what a model computes but none of its tensors, with the values that kakera has.
KNOWN_VALUES: dict[str, tuple[Any, ...]] = {
    "norm_layer": (None, "layernorm", "layernormfp32"),
    "rope_type": ("dinov3",),
    "rope_grid_offset": (0,),
    "rope_grid_indexing": ("ij",),
    "rope_rotate_half": (True,),
    "use_rot_pos_emb": (True,),
    "use_post_norm": (False,),
}
ROPE_VALUES: dict[str, tuple[Any, ...]] = {
    **KNOWN_VALUES,
    "rope_type": ("cat",),
    "rope_rotate_half": (False,),
    "attn_type": ("eva",),
    "use_pre_transformer_norm": (False,),
    "scale_attn_inner": (False,),
}
PREFIX_POOLED = ("test_vit3",)  # architectures that pool registers beside the patches


def is_rope(architecture: str) -> bool:
    """Return True for the name of EVA-02, or of one of timm's own ViTs with rotary positions.

    Example:

        >>> is_rope("vit_base_patch16_rope_reg1_gap_256"), is_rope("vit_base_patch16_rope_224")
        (True, False)
    """
    return ROPE.fullmatch(architecture) is not None


def heads_of(width: int, architecture: str = "") -> int:
    """Return the number of heads for a width. Raises OptionError if timm has no size of this width.

    Example:

        >>> heads_of(768), heads_of(768, "vit_base_patch16_gap_224")
        (12, 16)
    """
    for name, heads in OTHER_HEADS.items():
        if architecture.startswith(name):
            return heads
    if width not in HEADS:
        widths = ", ".join(map(str, sorted(HEADS)))
        raise OptionError("width", got=width, expected=widths, do="add its config.json with num_heads")
    return HEADS[width]


def activation_of(model_args: Mapping[str, Any], architecture: str) -> Activation:
    """Return the activation of the MLPs: that of `model_args`, or that of the architecture's name.

    Raises OptionError for one that is not a GELU.

    Example:

        >>> activation_of({}, "vit_base_patch16_clip_quickgelu_224"), activation_of({}, "")
        ('quick_gelu', 'gelu')
    """
    named = model_args.get("act_layer")
    if named is not None:
        if not isinstance(named, str) or named not in ACTIVATIONS:
            expected = ", ".join(ACTIVATIONS)
            raise OptionError("act_layer", got=named, expected=expected, do="choose another model")
        return ACTIVATIONS[named]
    if "quickgelu" in architecture:
        return "quick_gelu"
    return "gelu_tanh" if any(name in architecture for name in TANH) else "gelu"


def require_known_args(
    model_args: Mapping[str, Any], architecture: str, tensors: Collection[str], pooling: object = None
) -> None:
    """Raise OptionError for options with which timm computes something else from the same tensors.

    `pooling` is the `global_pool` of the configuration. timm's Eva class, which has DINOv3, always gives all
    tokens to its attention pooling.

    Example:

        >>> require_known_args({"rope_type": "dinov3", "num_heads": 3}, "vit_small_patch16_dinov3", ())
    """
    values = ROPE_VALUES if is_rope(architecture) else KNOWN_VALUES
    for name, known in values.items():
        if model_args.get(name, known[0]) not in known:
            expected = " or ".join(str(value) for value in known if value is not None)
            raise OptionError(name, got=str(model_args[name]), expected=expected, do="choose another model")
    prefix = any(name in tensors for name in ("cls_token", "reg_token", "dist_token"))
    pooled = model_args.get("pool_include_prefix", architecture.startswith(PREFIX_POOLED))
    eva = "attn_pool.latent" in tensors and "pos_embed" not in tensors
    if prefix and ((pooled and pooling != "token") or eva):
        got, expected = "class token or registers pooled beside the patches", "only patches"
        raise OptionError("pooling", got=got, expected=expected, do="choose another model")


def epsilon_of(
    architecture: str, tensors: Collection[str], model_args: Mapping[str, Any] | None = None
) -> float:
    """Return the epsilon of the norms: 1e-5 in CLIP and DINOv3, 1e-6 in timm's other Vision Transformers.

    It is 1e-6 too if `model_args` name the norm. Without a name of the architecture, CLIP and DINOv3 are
    known by their tensors.

    Example:

        >>> epsilon_of("vit_base_patch16_clip_224", ()), epsilon_of("vit_base_patch16_224", ())
        (1e-05, 1e-06)
    """
    if (model_args or {}).get("norm_layer"):
        return 1e-6
    named = "_clip_" in architecture and not architecture.startswith("eva")
    clip = named or (not architecture and "norm_pre.weight" in tensors)
    if is_rope(architecture):
        return 1e-6
    return 1e-5 if clip or "dinov3" in architecture or ("pos_embed" not in tensors and tensors) else 1e-6
