"""Hugging Face transformers: ViT, DeiT, BEiT, ViTMAE, DINOv2 and AST, in the hub's names and version 5's.

What a model is stands in `config.json`, what it takes in `preprocessor_config.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from kakera.errors import OptionError, RunError, sentence
from kakera.formats import names, prefix
from kakera.formats.ast_inputs import recordings
from kakera.formats.image_processors import crop_of
from kakera.formats.names import Row
from kakera.formats.native import Model, Saved
from kakera.formats.transformers_names import (
    AST_HEAD,
    DROPPED,
    HEADS,
    NORM,
    NORM_OF_MEAN,
    dinov2_table,
    table,
    with_key_biases,
)
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, Read
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.positions import Resampling
from kakera.model.sizes import DecoderShape, LayerKind, VitShape, decoder_for

AST, BEIT = "audio-spectrogram-transformer", "beit"
DINOV2 = ("dinov2", "dinov2_with_registers")
KINDS = ("vit", "deit", BEIT, "vit_mae", *DINOV2, AST)
PREFIXES = ("vit", "deit", BEIT, *DINOV2, "audio_spectrogram_transformer")
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
    "mlp_ratio": 4,
    "use_swiglu_ffn": False,
    "num_register_tokens": 4,
    "num_mel_bins": 128,
    "max_length": 1024,
    "frequency_stride": 10,
    "time_stride": 10,
    "use_mean_pooling": True,
    "use_absolute_position_embeddings": False,
    "use_relative_position_bias": False,
    "use_shared_relative_position_bias": False,
    "layer_scale_init_value": 0.1,
}
OF_KIND: dict[str, dict[str, Any]] = {
    "dinov2": {"layer_norm_eps": 1e-6, "patch_size": 14},
    "dinov2_with_registers": {"layer_norm_eps": 1e-6},
}
EXACT, TANH = ("gelu",), ("gelu_pytorch_tanh", "gelu_new")
RESAMPLING: dict[str, Resampling] = {"dinov2_with_registers": "antialiased", AST: "cut"}


def read(
    config: Mapping[str, Any], preprocessing: Mapping[str, Any], tensors: Mapping[str, Tensor], source: str
) -> Saved:
    """The model of a configuration with these weights. Raises RunError."""
    kind = config["model_type"]
    pre = next((f"{p}." for p in PREFIXES if any(n.startswith(f"{p}.") for n in tensors)), "")
    try:
        given = {**DEFAULTS, **OF_KIND.get(kind, {}), **config}
        saved = _build(given, preprocessing, set(tensors))
    except (OptionError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        got = f"{type(error).__name__} {error}" if not isinstance(error, OptionError) else f"({error})"
        raise RunError(
            sentence(source, got=got, expected=f"the configuration of {', '.join(KINDS)}", do="correct it")
        ) from error
    ours = "" if isinstance(saved.model, Encoder) else "encoder."
    tensors = with_key_biases(tensors) if kind == BEIT else tensors
    rows = _rows(kind, pre, ours, set(tensors), gated=saved.encoder.shape.kind.gated)
    dropped = tuple(pattern.replace("{pre}", pre) for pattern in DROPPED)
    shape = saved.encoder.shape
    axes = {"ph": shape.patch[0], "pw": shape.patch[1], "c": saved.inputs.channels}
    found = names.read(tensors, rows, source=source, axes=axes, dropped=dropped)
    prefix.join_heads(found)
    prefix.settle(found, ours, saved.encoder.grid.count)
    names.fill(saved.model, found, rows, source=source)
    return saved


def _rows(kind: str, pre: str, ours: str, present: set[str], *, gated: bool) -> Sequence[Row]:
    if kind in DINOV2:
        modern = any(".q_proj." in name or ".gate_proj." in name for name in present)
        return dinov2_table(pre, ours, modern=modern, gated=gated)
    modern = any(".q_proj." in name for name in present)
    # transformers 5.24 writes the decoder's layers as decoder_encoder.layer, the hub has decoder_layers.
    odd = any(name.startswith("decoder.decoder_encoder.layer.") for name in present)
    decoder = "decoder_encoder.layer" if odd else "decoder_layers"
    norm = NORM_OF_MEAN if f"{pre}{NORM_OF_MEAN}.weight" in present else NORM
    heads = AST_HEAD if kind == AST else HEADS
    return table(pre, ours, modern=modern, decoder=decoder, heads=heads, norm=norm)


def _build(config: Mapping[str, Any], preprocessing: Mapping[str, Any], present: set[str]) -> Saved:
    """The model without its weights, whose names tell what is there of it."""
    kind, shape = config["model_type"], shape_of(config)
    if kind == BEIT:
        _require_plain_beit(config, headed="classifier.weight" in present)
    if kind == AST:
        inputs, notes = recordings(preprocessing, int(config["num_mel_bins"]), int(config["max_length"]))
    else:
        size = _pair(config["image_size"])
        inputs, notes = inputs_of(preprocessing, int(config["num_channels"]), size)
    notes = (f"transformers {(config.get('architectures') or [kind])[0]}", *notes)
    encoder = Encoder(shape, channels=inputs.channels, size=inputs.size, learned=kind != "vit_mae")
    resampling = RESAMPLING.get(kind, "bicubic")
    if any(name.startswith("decoder.") for name in present):
        kind_inside = shape.kind.ratio_of(config["decoder_intermediate_size"], config["decoder_hidden_size"])
        decoder = DecoderShape(
            config["decoder_hidden_size"],
            config["decoder_num_hidden_layers"],
            config["decoder_num_attention_heads"],
            kind_inside,
        )
        model: Model = MaskedAutoencoder(encoder, decoder, normalised=bool(config["norm_pix_loss"]))
        return Saved(model, inputs, notes=notes, resampling=resampling)
    if not any(name.startswith(("classifier.", "cls_classifier.")) for name in present):
        return Saved(encoder, inputs, notes=notes, resampling=resampling)
    labels = {int(number): str(name) for number, name in config["id2label"].items()}
    classes = tuple(labels[number] for number in range(len(labels)))
    several = config.get("problem_type") == "multi_label_classification"
    head_epsilon = shape.kind.epsilon if kind == AST else None
    model = Classifier(encoder, len(classes), _pool(config, present), head_epsilon)
    return Saved(model, inputs, classes, several, notes, resampling)


def _require_plain_beit(config: Mapping[str, Any], *, headed: bool) -> None:
    """Raises OptionError for the positions and norms that BEiT may have and we have not."""
    relative = config["use_relative_position_bias"] or config["use_shared_relative_position_bias"]
    if relative or not config["use_absolute_position_embeddings"]:
        raise OptionError(
            sentence(
                "BEiT", got="positions relative to each other", expected="absolute ones", do="choose another"
            )
        )
    if config["use_mean_pooling"] and not headed:
        raise OptionError(
            sentence("BEiT", got="tokens without a norm", expected="a classifier", do="choose another model")
        )


def _pool(config: Mapping[str, Any], present: set[str]) -> Read:
    kind = config["model_type"]
    if kind in DINOV2:
        return "class and mean"
    if kind == BEIT and config["use_mean_pooling"]:
        return "mean"
    if kind == AST:
        return "halves"
    return "distilled" if "cls_classifier.weight" in present else "class"


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
    kind, model_type = _kind_of(config, width), config["model_type"]
    registers = {"deit": 1, AST: 1, "dinov2_with_registers": int(config["num_register_tokens"])}
    depth, patch = int(config["num_hidden_layers"]), _pair(config["patch_size"])
    stride = (int(config["frequency_stride"]), int(config["time_stride"])) if model_type == AST else None
    return VitShape(
        width, depth, heads, patch, decoder_for(width), kind, registers.get(model_type, 0), stride
    )


def _kind_of(config: Mapping[str, Any], width: int) -> LayerKind:
    dinov2, inside = config["model_type"] in DINOV2, int(config["intermediate_size"])
    gated = dinov2 and bool(config["use_swiglu_ffn"])
    if dinov2:
        inside = dinov2_inside(width, config["mlp_ratio"], gated=gated)
    scaled = config["model_type"] == BEIT and config["layer_scale_init_value"] > 0
    return LayerKind(
        epsilon=float(config["layer_norm_eps"]),
        qkv_bias=bool(config["qkv_bias"]),
        tanh_gelu=config["hidden_act"] in TANH,
        layer_scale=dinov2 or scaled,
        gated=gated,
    ).ratio_of(inside, width)


def dinov2_inside(width: int, ratio: float, *, gated: bool) -> int:
    """How wide its MLPs are inside: those with a gate two thirds, up to a multiple of 8."""
    inside = int(width * ratio)
    return -(-(inside * 2 // 3) // 8) * 8 if gated else inside


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
    inputs = InputSpec(channels, *size, tuple(map(float, mean)), tuple(map(float, std)), scale)
    crop, assumed = crop_of(preprocessing, size)
    return crop.into(inputs), (*notes, *assumed)


def _pair(value: Any) -> tuple[int, int]:
    height, width = (value, value) if isinstance(value, int) else value
    return int(height), int(width)
