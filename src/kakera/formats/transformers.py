"""Hugging Face transformers: ViT, DeiT and ViTMAE, read in the hub's names and v5's, written in the hub's.

What a model is stands in `config.json`, what it takes in `preprocessor_config.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kakera.errors import OptionError, RunError, sentence
from kakera.formats import names
from kakera.formats.names import CONVOLUTION, ROW, ROWS, Row, below
from kakera.formats.native import Model, Saved
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.sizes import DecoderShape, LayerKind, VitShape, decoder_for

KINDS = ("vit", "deit", "vit_mae")
# What the library takes where a configuration says nothing.
DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
    "decoder_hidden_size": 512,
    "decoder_num_hidden_layers": 8,
    "decoder_num_attention_heads": 16,
    "decoder_intermediate_size": 2048,
    "norm_pix_loss": False,
    "id2label": {0: "LABEL_0", 1: "LABEL_1"},
}
EXACT, TANH = ("gelu",), ("gelu_pytorch_tanh", "gelu_new")
DROPPED = ("{pre}pooler.dense.*", "{pre}embeddings.mask_token")  # a pooler is of no use to any head

_NORMS = (Row("norm1.*", "layernorm_before.*"), Row("norm2.*", "layernorm_after.*"))
HUB = (
    *_NORMS,
    Row("attention.qkv.*", tuple(f"attention.attention.{part}.*" for part in ("query", "key", "value"))),
    Row("attention.out.*", "attention.output.dense.*"),
    Row("mlp.up.*", "intermediate.dense.*"),
    Row("mlp.down.*", "output.dense.*"),
)
VERSION_5 = (
    *_NORMS,
    Row("attention.qkv.*", tuple(f"attention.{part}_proj.*" for part in "qkv")),
    Row("attention.out.*", "attention.o_proj.*"),
    Row("mlp.up.*", "mlp.fc1.*"),
    Row("mlp.down.*", "mlp.fc2.*"),
)
ENCODER = (
    Row("class_token", "embeddings.cls_token", ROW),
    Row("registers", "embeddings.distillation_token", ("1 r d", "r d")),
    Row("positions", "embeddings.position_embeddings", ROWS),
    Row("patches.project.weight", "embeddings.patch_embeddings.projection.weight", CONVOLUTION),
    Row("patches.project.bias", "embeddings.patch_embeddings.projection.bias"),
    Row("norm.*", "layernorm.*"),
)
DECODER = (
    Row("embed.*", "decoder_embed.*"),
    Row("mask_token", "mask_token", ROW),
    Row("positions", "decoder_pos_embed", ROWS),
    Row("norm.*", "decoder_norm.*"),
    Row("predict.*", "decoder_pred.*"),
)
HEADS = (
    Row("head.*", "classifier.*"),
    Row("heads.class.*", "cls_classifier.*"),
    Row("heads.distilled.*", "distillation_classifier.*"),
)


def table(pre: str, ours: str = "encoder.", *, modern: bool = False, decoder: str = "") -> tuple[Row, ...]:
    """All rows: `pre` stands before the encoder's names of theirs, `ours` before ours.

    `decoder` is what they call its layers.
    """
    inner = VERSION_5 if modern else HUB
    layers = below("layers.{}.", "layers.{}." if modern else "encoder.layer.{}.", inner)
    return (
        *below(ours, pre, (*ENCODER, *layers)),
        *below("decoder.", "decoder.", DECODER),
        *below("decoder.layers.{}.", f"decoder.{decoder or 'decoder_layers'}.{{}}.", inner),
        *HEADS,
    )


def read(
    config: Mapping[str, Any], preprocessing: Mapping[str, Any], tensors: Mapping[str, Tensor], source: str
) -> Saved:
    """The model of a configuration with these weights. Raises RunError."""
    pre = next((f"{p}." for p in ("vit", "deit") if any(n.startswith(f"{p}.") for n in tensors)), "")
    modern = any(".q_proj." in name for name in tensors)
    # transformers 5.24 writes the decoder's layers as decoder_encoder.layer, the hub has decoder_layers.
    odd = any(name.startswith("decoder.decoder_encoder.layer.") for name in tensors)
    try:
        saved = _build({**DEFAULTS, **config}, preprocessing, set(tensors))
    except (OptionError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        got = f"{type(error).__name__} {error}" if not isinstance(error, OptionError) else f"({error})"
        raise RunError(
            sentence(source, got=got, expected="the configuration of a ViT, DeiT or ViTMAE", do="correct it")
        ) from error
    bare = isinstance(saved.model, Encoder)
    rows = table(
        pre, "" if bare else "encoder.", modern=modern, decoder="decoder_encoder.layer" if odd else ""
    )
    dropped = tuple(pattern.replace("{pre}", pre) for pattern in DROPPED)
    shape = saved.encoder.shape
    axes = {"ph": shape.patch[0], "pw": shape.patch[1], "c": saved.inputs.channels}
    found = names.read(tensors, rows, source=source, axes=axes, dropped=dropped)
    _join_heads(found)
    _part_positions(found, "" if bare else "encoder.")
    names.fill(saved.model, found, rows, source=source)
    return saved


def _build(config: Mapping[str, Any], preprocessing: Mapping[str, Any], present: set[str]) -> Saved:
    """The model without its weights, whose names tell what is there of it."""
    kind, shape = config["model_type"], shape_of(config)
    size = _pair(config["image_size"])
    inputs, notes = inputs_of(preprocessing, int(config["num_channels"]), size)
    encoder = Encoder(shape, channels=inputs.channels, size=size, learned=kind != "vit_mae")
    found = f"transformers {(config.get('architectures') or [kind])[0]}"
    if any(name.startswith("decoder.") for name in present):
        kind_inside = shape.kind.ratio_of(config["decoder_intermediate_size"], config["decoder_hidden_size"])
        decoder = DecoderShape(
            config["decoder_hidden_size"],
            config["decoder_num_hidden_layers"],
            config["decoder_num_attention_heads"],
            kind_inside,
        )
        model: Model = MaskedAutoencoder(encoder, decoder, normalised=bool(config["norm_pix_loss"]))
        return Saved(model, inputs, notes=(found, *notes))
    heads = {name for name in present if name.endswith("classifier.weight")}
    if not heads:
        return Saved(encoder, inputs, notes=(found, *notes))
    labels = {int(number): str(name) for number, name in config["id2label"].items()}
    classes = tuple(labels[number] for number in range(len(labels)))
    pool = "distilled" if "cls_classifier.weight" in heads else "class"
    several = config.get("problem_type") == "multi_label_classification"
    return Saved(Classifier(encoder, len(classes), pool), inputs, classes, several, (found, *notes))


def shape_of(config: Mapping[str, Any]) -> VitShape:
    """What a configuration says of the encoder. Raises OptionError for an activation that is not GELU."""
    act, width, heads = config["hidden_act"], int(config["hidden_size"]), int(config["num_attention_heads"])
    if act not in EXACT + TANH:
        raise OptionError(
            sentence("hidden_act", got=act, expected=", ".join(EXACT + TANH), do="choose another model")
        )
    if width % heads:
        raise OptionError(
            sentence("heads", got=f"{heads} of {width}", expected="a divisor", do="correct the configuration")
        )
    kind = LayerKind(
        epsilon=float(config["layer_norm_eps"]),
        qkv_bias=bool(config["qkv_bias"]),
        tanh_gelu=act in TANH,
    ).ratio_of(int(config["intermediate_size"]), width)
    registers = 1 if config["model_type"] == "deit" else 0
    depth, patch = int(config["num_hidden_layers"]), _pair(config["patch_size"])
    return VitShape(width, depth, heads, patch, decoder_for(width), kind, registers)


def inputs_of(
    preprocessing: Mapping[str, Any], channels: int, size: tuple[int, int]
) -> tuple[InputSpec, tuple[str, ...]]:
    """What `preprocessor_config.json` says, and what had to be assumed because it does not."""
    notes = () if preprocessing else ("no preprocessor_config.json: mean and deviation 0.5 assumed",)
    normalise = preprocessing.get("do_normalize", True)
    rescale = preprocessing.get("do_rescale", True)
    mean, std = (preprocessing.get(key, [0.5] * channels) for key in ("image_mean", "image_std"))
    if not normalise:
        mean, std = [0.0] * channels, [1.0] * channels
    # A float64 factor of 1/255 is not inverted exactly.
    scale = round(1 / preprocessing.get("rescale_factor", 1 / 255), 6) if rescale else 1.0
    return InputSpec(channels, *size, tuple(map(float, mean)), tuple(map(float, std)), scale), notes


def _pair(value: Any) -> tuple[int, int]:
    height, width = (value, value) if isinstance(value, int) else value
    return int(height), int(width)


def _join_heads(found: dict[str, Tensor]) -> None:
    """The two heads of a distilled DeiT as the one map on both tokens halved (see Classifier)."""
    if "heads.class.weight" not in found or "heads.distilled.weight" not in found:
        return
    weights = [found.pop(f"heads.{which}.weight") for which in ("class", "distilled")]
    biases = [found.pop(f"heads.{which}.bias") for which in ("class", "distilled")]
    found |= {"head.weight": torch.cat(weights, dim=1), "head.bias": (biases[0] + biases[1]) / 2}


def _part_positions(found: dict[str, Tensor], ours: str) -> None:
    """Registers stand nowhere here: the position of a distillation token is added to it for good."""
    registers, positions = found.get(f"{ours}registers"), found.get(f"{ours}positions")
    if registers is None or positions is None:
        return
    after = 1 + len(registers)
    found[f"{ours}registers"] = registers + positions[1:after]
    found[f"{ours}positions"] = torch.cat([positions[:1], positions[after:]])
