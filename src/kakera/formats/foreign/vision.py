"""Reading of vision encoders of transformers that are not built like its ViT: CLIP, SigLIP, DINOv3, TIPSv2.

A folder may hold the vision encoder alone, or the whole model with its text encoder, which is left out. Both
spellings of the names are read: with `vision_model.` before them, and without, as transformers 5.24 writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from kakera.errors import OptionError
from kakera.formats import names
from kakera.formats.build import require_layers, without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.description import CHANNELS, require_values, thresholds_of
from kakera.formats.fields import flag, mapping, number, whole
from kakera.formats.foreign.image_processors import most_patches, whole_patches
from kakera.formats.foreign.transformers import (
    activation_of,
    classes_of,
    dinov2_inside,
    inputs_of,
    is_multi_label_config,
    pair,
)
from kakera.formats.foreign.vision_names import (
    CLIP,
    DINOV3,
    DINOV3_GATED,
    DROPPED,
    HEAD,
    LISTS,
    MAP_BIASES,
    QKV_BIASES,
    TIPSV2,
    with_biases,
    with_split_projection,
)
from kakera.formats.names import Row, with_prefix
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, ViTConfig, decoder_for
from kakera.model.positions import Resampling
from kakera.model.vit import ViT

PREFIX = "vision_model."
TEXTS = ("text_model.", "text_projection.", "visual_projection.", "logit_scale", "logit_bias")
"""Starts of the names of tensors that belong to a text encoder, or to the space of the texts."""
_COMMON = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "num_register_tokens": 0,
    "layer_norm_eps": 1e-6,
    "hidden_act": "gelu_pytorch_tanh",
}
_TIPS = {"hidden_act": "gelu", "image_size": 448, "patch_size": 14, "num_register_tokens": 1}


@dataclass(frozen=True)
class Kind:
    """A kind of vision encoder: the names of its tensors, and the values that transformers assumes.

    Example:

        >>> KINDS["clip_vision_model"].class_tokens
        1
    """

    rows: tuple[Row, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    class_tokens: int = 0
    resampling: Resampling = "bicubic"
    prepare: Callable[[Mapping[str, Tensor], Mapping[str, Any]], dict[str, Tensor]] = with_split_projection
    """A function that changes tensors, for a configuration, which no row can express."""
    gated: tuple[Row, ...] = ()
    """The rows of an encoder with gated MLPs, if they differ."""
    norm_pre: bool = False
    layer_scale: bool = False


KINDS: dict[str, Kind] = {
    "clip_vision_model": Kind(
        CLIP,
        {"patch_size": 32, "layer_norm_eps": 1e-5, "hidden_act": "quick_gelu"},
        class_tokens=1,
        norm_pre=True,
    ),
    "siglip_vision_model": Kind(CLIP),
    "siglip2_vision_model": Kind(LISTS, {"num_patches": 256}, resampling="bilinear"),
    "tipsv2_vision_model": Kind(
        TIPSV2,
        {**_TIPS, "mlp_ratio": 4, "use_swiglu_ffn": False, "qkv_bias": True},
        class_tokens=1,
        resampling="bilinear",
        layer_scale=True,
    ),
    "dinov3_vit": Kind(
        DINOV3,
        {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6, "layer_norm_eps": 1e-5}
        | {"hidden_act": "gelu", "rope_theta": 100.0, "use_gated_mlp": False}
        | MAP_BIASES,
        class_tokens=1,
        prepare=with_biases,
        gated=DINOV3_GATED,
        layer_scale=True,
    ),
}
WHOLE = {"clip": "clip_vision_model", "siglip": "siglip_vision_model", "siglip2": "siglip2_vision_model"}
"""Models with a text encoder beside the vision encoder."""
TYPES = (*KINDS, *WHOLE)


def read(
    config: Mapping[str, Any], preprocessing: Mapping[str, Any], tensors: Mapping[str, Tensor], source: str
) -> Pretrained:
    """Build the vision encoder of a configuration and fill it with these weights. Raises RunError.

    Example:

        >>> config = {"model_type": "clip_vision_model", "hidden_size": 64, "num_hidden_layers": 0}
        >>> try:
        ...     read({**config, "hidden_act": "relu"}, {}, {}, "model")
        ... except Exception as error:
        ...     print(str(error)[:74])
        model: got (hidden_act: got relu, expected gelu, gelu_pytorch_tanh, gelu_n
    """
    model_type = str(config["model_type"])
    kind = KINDS[WHOLE.get(model_type, model_type)]
    left = _vision_only(tensors)
    with without_memory(source, expected=f"the configuration of {model_type}", do="correct it"):
        left = kind.prepare(left, config)
        saved = _build(config, preprocessing, left, projected="visual_projection.weight" in tensors)
    ours, shape = saved.model.prefix, saved.encoder.config
    rows = kind.gated if shape.block.gated and kind.gated else kind.rows
    rows = (*with_prefix(ours, "", rows), *HEAD)
    axes = {"ph": shape.patch[0], "pw": shape.patch[1], "c": saved.inputs.channels}
    mapped = names.read(left, rows, source=source, axes=axes, dropped=DROPPED)
    if kind.class_tokens and f"{ours}class_token" in mapped:
        bias = torch.zeros_like(mapped[f"{ours}class_token"])
        mapped.setdefault(f"{ours}patches.project.bias", bias)  # CLIP's patch embedding has no bias
    names.fill(saved.model, mapped, rows, source=source)
    return saved


def _vision_only(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without those of the text encoder, and without `vision_model.` in their names."""
    return {name.removeprefix(PREFIX): t for name, t in tensors.items() if not name.startswith(TEXTS)}


def _build(
    config: Mapping[str, Any],
    preprocessing: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    projected: bool,
) -> Pretrained:
    model_type = str(config["model_type"])
    inner = mapping("vision_config", config.get("vision_config") or {}) if model_type in WHOLE else config
    of_kind = WHOLE.get(model_type, model_type)
    kind = KINDS[of_kind]
    values = {**_COMMON, **kind.defaults, **inner}
    shape = _shape(values, kind, tensors)
    require_layers(shape.depth, tensors)
    channels = whole("num_channels", values["num_channels"], most=CHANNELS)
    size, cut = whole_patches(_size(values, shape.patch), shape.patch)
    inputs, notes = inputs_of(preprocessing, channels, size, of_kind)
    notes = (*cut, *notes)
    naflex = "num_patches" in values and shape.patch[0] == shape.patch[1]
    most = most_patches(preprocessing) if naflex else 0
    if most:
        shape = replace(shape, any_shape=True)
        require_values(channels, (shape.patch[0], shape.patch[1] * most))
        inputs = replace(inputs, any_shape=(shape.patch[0], most))
    architecture = (config.get("architectures") or [model_type])[0]
    notes = (
        f"transformers {architecture}",
        *notes,
        *_notes(model_type, inputs, tensors, projected=projected),
    )
    encoder = ViT(shape, channels=channels, image_size=inputs.size, learned=True)
    if "classifier.weight" not in tensors:
        return Pretrained(encoder, inputs, notes=notes, resampling=kind.resampling)
    if of_kind == "clip_vision_model":
        got, expected = "a head on the mean of tokens without a norm", "a CLIP model without a head"
        raise OptionError("CLIP", got=got, expected=expected, do="fine-tune the CLIP model itself")
    classes = classes_of(config)
    multi_label, more = is_multi_label_config(config, len(classes))
    model = Classifier(encoder, len(classes), "normed mean")
    thresholds = thresholds_of(mapping("kakera", config.get("kakera") or {}))
    return Pretrained(model, inputs, classes, multi_label, (*notes, *more), kind.resampling, thresholds)


def _notes(
    model_type: str, inputs: InputSpec, tensors: Mapping[str, Tensor], *, projected: bool
) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if model_type in WHOLE:
        notes += ("only the vision encoder is used, without its projection beside the text encoder",)
    elif projected:
        notes += ("the projection to the space of the texts is left out",)
    if inputs.any_shape:
        where = f"explain, the explorer and training crop it to {inputs.height} × {inputs.width} pixels"
        notes += (f"a picture keeps its shape in at most {inputs.any_shape[1]} patches (NaFlex); {where}",)
    elif model_type.startswith("siglip2"):
        size = f"{inputs.height} × {inputs.width}"
        notes += (f"trained for pictures of any shape (NaFlex), but its processor has {size} pixels",)
    return notes


def _shape(values: Mapping[str, Any], kind: Kind, tensors: Mapping[str, Tensor]) -> ViTConfig:
    width, heads = (whole(name, values[name]) for name in ("hidden_size", "num_attention_heads"))
    gated = flag("use_gated_mlp", values.get("use_gated_mlp", False))
    inside = whole("intermediate_size", values["intermediate_size"])
    if "mlp_ratio" in values:
        gated = flag("use_swiglu_ffn", values["use_swiglu_ffn"])
        inside = dinov2_inside(width, number("mlp_ratio", values["mlp_ratio"], positive=True), gated=gated)
    act = values["hidden_act"]
    if "use_gated_mlp" in values and gated != (act == "silu"):
        expected = "silu with use_gated_mlp, and gelu without"
        raise OptionError("hidden_act", got=act, expected=expected, do="choose another model")
    optional = [name for name in ("qkv_bias", *QKV_BIASES) if name in kind.defaults]
    biased = not optional or any(flag(name, values[name]) for name in optional)
    block = BlockConfig(
        epsilon=number("layer_norm_eps", values["layer_norm_eps"], positive=True),
        qkv_bias=biased,
        activation="gelu" if gated else activation_of(act),
        layer_scale=kind.layer_scale,
        gated=gated,
    ).ratio_of(inside, width)
    return ViTConfig(
        width,
        whole("num_hidden_layers", values["num_hidden_layers"]),
        heads,
        pair("patch_size", values["patch_size"]),
        decoder_for(width),
        block,
        whole("num_register_tokens", values["num_register_tokens"], least=0),
        class_tokens=kind.class_tokens,
        norm_pre=kind.norm_pre,
        attention_pool="head.probe" in tensors,
        rotary=number("rope_theta", values["rope_theta"], positive=True) if "rope_theta" in values else 0.0,
    )


def _size(values: Mapping[str, Any], patch: tuple[int, int]) -> tuple[int, int]:
    """Return the picture size; that of a model with lists of patches is a square of `num_patches`."""
    if "num_patches" not in values:
        return pair("image_size", values["image_size"])
    count = whole("num_patches", values["num_patches"])
    side = math.isqrt(count)
    if side**2 != count:
        expected = "a square number, as in the released models"
        raise OptionError("num_patches", got=count, expected=expected, do="correct it")
    return side * patch[0], side * patch[1]
