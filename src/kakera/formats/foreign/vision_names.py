"""Tensor names of the vision encoders of transformers that are not named like its ViT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kakera.formats.fields import flag
from kakera.formats.foreign.transformers_names import TOKENS
from kakera.formats.names import CONVOLUTION, ROW, ROWS, Row, with_prefix

_SELF_ATTENTION = (
    Row("attention.qkv.*", tuple(f"self_attn.{part}_proj.*" for part in "qkv")),
    Row("attention.out.*", "self_attn.out_proj.*"),
)
_MLP = (Row("mlp.up.*", "mlp.fc1.*"), Row("mlp.down.*", "mlp.fc2.*"))
_CLIP_LAYER = (Row("norm1.*", "layer_norm1.*"), Row("norm2.*", "layer_norm2.*"), *_SELF_ATTENTION, *_MLP)
_CLIP = (
    Row("class_token", "embeddings.class_embedding"),
    Row("positions", "embeddings.position_embedding.weight"),
    Row("patches.project.bias", "embeddings.patch_embedding.bias"),
    Row("norm_pre.*", "pre_layrnorm.*"),
    Row("norm.*", "post_layernorm.*"),
    *with_prefix("layers.{}.", "encoder.layers.{}.", _CLIP_LAYER),
    Row("attention_pool.probe", "head.probe", ROW),
    Row("attention_pool.attention.q.*", "head.attention.q.*"),
    Row("attention_pool.attention.kv.*", "head.attention.kv.*"),
    Row("attention_pool.attention.out.*", "head.attention.out_proj.*"),
    Row("attention_pool.norm.*", "head.layernorm.*"),
    *with_prefix("attention_pool.", "head.", _MLP),
)
CLIP = (Row("patches.project.weight", "embeddings.patch_embedding.weight", CONVOLUTION), *_CLIP)
"""CLIP and SigLIP; SigLIP has neither class token nor `pre_layrnorm`, CLIP has no `head`."""
LISTS = (Row("patches.project.weight", "embeddings.patch_embedding.weight"), *_CLIP)
"""SigLIP 2 with lists of patches (NaFlex): its patch embedding is a linear map of height, width, channels."""
_TIPS_LAYER = (
    *(Row(f"norm{number}.*", f"norm{number}.*") for number in (1, 2)),
    *(Row(f"scale{number}", f"ls{number}.gamma") for number in (1, 2)),
    Row("attention.qkv.*", "attn.qkv.*"),
    Row("attention.out.*", "attn.proj.*"),
)
_TIPS_MLP = (Row("mlp.up.*", "mlp.c_fc.*"), Row("mlp.down.*", "mlp.c_proj.*"))
_TIPS_GATED = (Row("mlp.up.*", "mlp.w12.*"), Row("mlp.down.*", "mlp.w3.*"))
TIPSV2 = (
    Row("class_token", "cls_token", ROW),
    Row("registers", "register_tokens", TOKENS),
    Row("positions", "pos_embed", ROWS),
    Row("patches.project.weight", "patch_embed.proj.weight", CONVOLUTION),
    Row("patches.project.bias", "patch_embed.proj.bias"),
    Row("norm.*", "norm.*"),
    *with_prefix("layers.{}.", "blocks.{}.", (*_TIPS_LAYER, *_TIPS_MLP, *_TIPS_GATED)),
)
_DINOV3_LAYER = (
    *(Row(f"norm{number}.*", f"norm{number}.*") for number in (1, 2)),
    *(Row(f"scale{number}", f"layer_scale{number}.lambda1") for number in (1, 2)),
    Row("attention.qkv.*", tuple(f"attention.{part}_proj.*" for part in "qkv")),
    Row("attention.out.*", "attention.o_proj.*"),
    Row("mlp.down.*", "mlp.down_proj.*"),
)
_DINOV3 = (
    Row("class_token", "embeddings.cls_token", ROW),
    Row("registers", "embeddings.register_tokens", TOKENS),
    Row("patches.project.weight", "embeddings.patch_embeddings.weight", CONVOLUTION),
    Row("patches.project.bias", "embeddings.patch_embeddings.bias"),
    Row("norm.*", "norm.*"),
)
DINOV3 = (
    *_DINOV3,
    *with_prefix("layers.{}.", "layer.{}.", (*_DINOV3_LAYER, Row("mlp.up.*", "mlp.up_proj.*"))),
)
_GATED = Row("mlp.up.*", ("mlp.gate_proj.*", "mlp.up_proj.*"))
DINOV3_GATED = (*_DINOV3, *with_prefix("layers.{}.", "layer.{}.", (*_DINOV3_LAYER, _GATED)))
HEAD = (Row("head.*", "classifier.*"),)
DROPPED = ("mask_token", "embeddings.mask_token", "embeddings.position_ids")


QKV_BIASES = ("query_bias", "key_bias", "value_bias")
MAP_BIASES = {**dict.fromkeys(QKV_BIASES, True), "key_bias": False, "proj_bias": True, "mlp_bias": True}
"""The biases of DINOv3's maps that transformers assumes."""
_MAPS: dict[str, tuple[str, ...]] = {
    **{name: (f"{name[0]}_proj",) for name in QKV_BIASES},
    "proj_bias": ("o_proj",),
    "mlp_bias": ("gate_proj", "up_proj", "down_proj"),
}


def with_biases(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return DINOv3's tensors with biases of zero for the maps that have none by its configuration.

    They change no output. If queries, keys and values have no bias, nothing is added to them. Empty registers
    are left out, and the name that the layers have in memory becomes the one of files.

    Example:

        >>> import torch
        >>> names = ("q_proj.bias", "q_proj.weight", "k_proj.weight", "v_proj.bias", "v_proj.weight")
        >>> tensors = {f"layer.0.attention.{name}": torch.zeros(1) for name in names}
        >>> sorted(with_biases(tensors, {}))[:2]
        ['layer.0.attention.k_proj.bias', 'layer.0.attention.k_proj.weight']
    """
    result = {name.removeprefix("model."): tensor for name, tensor in tensors.items() if tensor.numel()}
    present = {name: flag(name, config.get(name, assumed)) for name, assumed in MAP_BIASES.items()}
    biased = any(present[name] for name in QKV_BIASES)
    absent = [name for name, given in present.items() if not given and (biased or name not in QKV_BIASES)]
    plain = [part for name in absent for part in _MAPS[name]]
    for name, tensor in list(result.items()):
        path = name.split(".")
        if path[-1] == "weight" and path[-2] in plain:
            result.setdefault(f"{name.removesuffix('weight')}bias", tensor.new_zeros(len(tensor)))
    return result


def with_split_projection(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors with the joined map of SigLIP's head as two: queries, and keys with values.

    Empty registers are left out. The configuration changes nothing here.

    Example:

        >>> import torch
        >>> sorted(with_split_projection({"head.attention.in_proj_bias": torch.zeros(6)}, {}))
        ['head.attention.kv.bias', 'head.attention.q.bias']
    """
    result = {name: tensor for name, tensor in tensors.items() if tensor.numel()}
    for kind in ("weight", "bias"):
        joined = result.pop(f"head.attention.in_proj_{kind}", None)
        if joined is not None:
            width = len(joined) // 3
            result[f"head.attention.q.{kind}"] = joined[:width]
            result[f"head.attention.kv.{kind}"] = joined[width:]
    return result
