"""Reading of Hugging Face transformers models: ViT and those named like it.

They are DeiT, BEiT, ViTMAE, MSN, I-JEPA, Pixio, DINOv2 and AST; `vision` reads CLIP and others.

Both the tensor names of the hub and those of version 5 are read. `config.json` describes the model,
`preprocessor_config.json` its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from kakera.errors import OptionError
from kakera.formats import names, prefix_tokens
from kakera.formats.build import require_layers, without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.description import CHANNELS, require_values, thresholds_of
from kakera.formats.fields import flag, mapping, number, numbers, one_of, whole
from kakera.formats.foreign.ast_inputs import is_multi_label, recordings
from kakera.formats.foreign.image_processors import crop_of, default_preprocessing
from kakera.formats.foreign.transformers_defaults import DEFAULTS, OF_KIND
from kakera.formats.foreign.transformers_names import (
    AST_HEAD,
    DROPPED,
    HEADS,
    NORM,
    NORM_OF_MEAN,
    dinov2_table,
    table,
    with_key_biases,
)
from kakera.formats.names import Row
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, Pooling
from kakera.model.configs import Activation, BlockConfig, DecoderConfig, ViTConfig, decoder_for
from kakera.model.mae import MAE
from kakera.model.network import Network
from kakera.model.positions import Resampling
from kakera.model.vit import ViT

AST, BEIT = "audio-spectrogram-transformer", "beit"
DINOV2 = ("dinov2", "dinov2_with_registers")
MSN, IJEPA, PIXIO = "vit_msn", "ijepa", "pixio"
KINDS = ("vit", "deit", BEIT, "vit_mae", MSN, IJEPA, PIXIO, *DINOV2, AST)
PREFIXES = ("vit", "deit", BEIT, IJEPA, PIXIO, *DINOV2, "audio_spectrogram_transformer")
ONE, MANY = "single_label_classification", "multi_label_classification"
ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "quick_gelu": "quick_gelu",
}
RESAMPLING: dict[str, Resampling] = {"dinov2_with_registers": "antialiased", AST: "cut"}


def read(
    config: Mapping[str, Any], preprocessing: Mapping[str, Any], tensors: Mapping[str, Tensor], source: str
) -> Pretrained:
    """Build the model of a configuration and fill it with these weights. Raises RunError.

    Example:

        >>> from safetensors.torch import load
        >>> from kakera.formats.foreign.transformers_writer import configuration, files, preprocessing
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> tensors = load(files(saved)["model.safetensors"])
        >>> read(configuration(saved), preprocessing(saved), tensors, "model").encoder.config.heads
        2
    """
    kind = config["model_type"]
    pre = next((f"{p}." for p in PREFIXES if any(n.startswith(f"{p}.") for n in tensors)), "")
    if pre and kind == MSN:  # transformers 5.24 writes the layers of a classifier without the prefix
        tensors = {f"{pre}{name}" if name.startswith("encoder.") else name: t for name, t in tensors.items()}
    with without_memory(source, expected=f"the configuration of {', '.join(KINDS)}", do="correct it"):
        values = {**DEFAULTS, **OF_KIND.get(kind, {}), **config}
        saved = _build(values, preprocessing, set(tensors))
    ours = saved.model.prefix
    tensors = with_key_biases(tensors) if kind == BEIT else tensors
    rows = _rows(kind, pre, ours, set(tensors), saved.encoder.config)
    dropped = tuple(pattern.replace("{pre}", pre) for pattern in DROPPED)
    shape = saved.encoder.config
    axes = {"ph": shape.patch[0], "pw": shape.patch[1], "c": saved.inputs.channels}
    mapped = names.read(tensors, rows, source=source, axes=axes, dropped=dropped)
    prefix_tokens.join_heads(mapped)
    prefix_tokens.convert_tokens(mapped, ours, saved.encoder.grid.count)
    names.fill(saved.model, mapped, rows, source=source)
    return saved


def _rows(kind: str, pre: str, ours: str, present: set[str], config: ViTConfig) -> Sequence[Row]:
    if kind in DINOV2:
        modern = any(".q_proj." in name or ".gate_proj." in name for name in present)
        return dinov2_table(pre, ours, modern=modern, gated=config.block.gated)
    modern = any(".q_proj." in name for name in present)
    # transformers 5.24 writes the decoder's layers as decoder_encoder.layer, the hub has decoder_layers.
    odd = any(name.startswith("decoder.decoder_encoder.layer.") for name in present)
    decoder = "decoder_encoder.layer" if odd else "decoder_layers"
    norm = NORM_OF_MEAN if f"{pre}{NORM_OF_MEAN}.weight" in present else NORM
    heads = AST_HEAD if kind == AST else HEADS
    short = any(name.endswith(".norm1.weight") for name in present)  # Pixio's names in files
    return table(
        pre,
        ours,
        modern=modern,
        decoder=decoder,
        heads=heads,
        norm=norm,
        short=short,
        class_tokens=config.class_tokens,
    )


def _build(config: Mapping[str, Any], preprocessing: Mapping[str, Any], present: set[str]) -> Pretrained:
    """Build the model without memory; the names of its weights (`present`) tell which parts it has."""
    kind, shape = config["model_type"], vit_config(config)
    require_layers(shape.depth, present)
    if kind == BEIT:
        _require_plain_beit(config, headed="classifier.weight" in present)
    if kind == AST:
        bins, frames = (whole(name, config[name]) for name in ("num_mel_bins", "max_length"))
        inputs, notes = recordings(preprocessing, bins, frames)
    else:
        channels = whole("num_channels", config["num_channels"], most=CHANNELS)
        inputs, notes = inputs_of(preprocessing, channels, pair("image_size", config["image_size"]), kind)
    notes = (f"transformers {(config.get('architectures') or [kind])[0]}", *notes)
    encoder = ViT(shape, channels=inputs.channels, image_size=inputs.size, learned=kind != "vit_mae")
    resampling = RESAMPLING.get(kind, "bicubic")
    if any(name.startswith("decoder.") for name in present):
        width, depth, heads, inside = (
            whole(name, config[name])
            for name in (
                "decoder_hidden_size",
                "decoder_num_hidden_layers",
                "decoder_num_attention_heads",
                "decoder_intermediate_size",
            )
        )
        decoder = DecoderConfig(
            width, require_layers(depth, present), heads, shape.block.ratio_of(inside, width)
        )
        normalised = flag("norm_pix_loss", config["norm_pix_loss"])
        model: Network = MAE(encoder, decoder, norm_pix_loss=normalised)
        return Pretrained(model, inputs, notes=notes, resampling=resampling)
    if not any(name.startswith(("classifier.", "cls_classifier.")) for name in present):
        return Pretrained(encoder, inputs, notes=notes, resampling=resampling)
    classes = classes_of(config)
    multi_label, more = is_multi_label_config(config, len(classes))
    head_epsilon = shape.block.epsilon if kind == AST else None
    model = Classifier(encoder, len(classes), _pool(config, present), head_epsilon)
    notes, thresholds = (*notes, *more), thresholds_of(mapping("kakera", config.get("kakera") or {}))
    return Pretrained(model, inputs, classes, multi_label, notes, resampling, thresholds)


def classes_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the class names of a configuration, in the order of their numbers.

    Example:

        >>> classes_of({"id2label": {"1": "cat", "0": "ant"}})
        ('ant', 'cat')
    """
    found = config.get("id2label") or DEFAULTS["id2label"]
    labels = {int(key): str(name) for key, name in mapping("id2label", found).items()}
    return tuple(labels[place] for place in range(len(labels)))


def is_multi_label_config(config: Mapping[str, Any], classes: int) -> tuple[bool, tuple[str, ...]]:
    """Return True for a multi-label model, and a note if this follows only from the number of classes.

    Example:

        >>> is_multi_label_config({"model_type": "vit", "problem_type": "multi_label_classification"}, 3)
        (True, ())
    """
    problem = config.get("problem_type")
    if problem is None:
        return is_multi_label(classes) if config["model_type"] == AST else (False, ())
    return one_of("problem_type", problem, (ONE, MANY)) == MANY, ()


def _require_plain_beit(config: Mapping[str, Any], *, headed: bool) -> None:
    """Check that a BEiT has only features of kakera. Raises OptionError for other positions and norms."""
    relative = config["use_relative_position_bias"] or config["use_shared_relative_position_bias"]
    if relative or not config["use_absolute_position_embeddings"]:
        raise OptionError(
            "BEiT", got="relative positions", expected="absolute positions", do="choose another model"
        )
    if config["use_mean_pooling"] and not headed:
        raise OptionError(
            "BEiT", got="an encoder without a final norm", expected="a classifier", do="choose another model"
        )


def _pool(config: Mapping[str, Any], present: set[str]) -> Pooling:
    kind = config["model_type"]
    if kind in DINOV2:
        return "class and mean"
    if kind == IJEPA:
        return "normed mean"
    if kind == BEIT and config["use_mean_pooling"]:
        return "mean"
    if kind == AST:
        return "halves"
    return "distilled" if "cls_classifier.weight" in present else "class"


def vit_config(config: Mapping[str, Any]) -> ViTConfig:
    """Return the encoder's configuration. Raises OptionError for an activation that is not GELU.

    Example:

        >>> vit_config({**DEFAULTS, "model_type": "vit", "hidden_size": 384, "num_attention_heads": 6}).depth
        12
    """
    width, heads = (whole(name, config[name]) for name in ("hidden_size", "num_attention_heads"))
    if width % heads:
        raise OptionError(
            "heads",
            got=f"{heads} for width {width}",
            expected="a divisor of the width",
            do="correct the configuration",
        )
    kind, model_type = _kind_of(config, width), config["model_type"]
    registers = {"deit": 1, AST: 1, "dinov2_with_registers": _registers(config)}
    class_tokens = {IJEPA: 0, PIXIO: whole("n_cls_tokens", config["n_cls_tokens"])}
    depth, patch = (
        whole("num_hidden_layers", config["num_hidden_layers"]),
        pair("patch_size", config["patch_size"]),
    )
    strides = tuple(whole(name, config[name]) for name in ("frequency_stride", "time_stride"))
    stride = (strides[0], strides[1]) if model_type == AST else None
    return ViTConfig(
        width,
        depth,
        heads,
        patch,
        decoder_for(width),
        kind,
        registers.get(model_type, 0),
        stride,
        class_tokens.get(model_type, 1),
    )


def activation_of(name: object) -> Activation:
    """Return the activation that `hidden_act` names. Raises OptionError for one that is not a GELU.

    Example:

        >>> activation_of("gelu_new")
        'gelu_tanh'
    """
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise OptionError(
            "hidden_act", got=str(name), expected=", ".join(ACTIVATIONS), do="choose another model"
        )
    return ACTIVATIONS[name]


def _registers(config: Mapping[str, Any]) -> int:
    return whole("num_register_tokens", config["num_register_tokens"], least=0)


def _kind_of(config: Mapping[str, Any], width: int) -> BlockConfig:
    dinov2, inside = config["model_type"] in DINOV2, whole("intermediate_size", config["intermediate_size"])
    gated = dinov2 and flag("use_swiglu_ffn", config["use_swiglu_ffn"])
    if dinov2 or config["model_type"] == PIXIO:
        inside = dinov2_inside(width, number("mlp_ratio", config["mlp_ratio"], positive=True), gated=gated)
    scaled = config["model_type"] == BEIT and number("layer_scale", config["layer_scale_init_value"]) > 0
    return BlockConfig(
        epsilon=number("layer_norm_eps", config["layer_norm_eps"], positive=True),
        qkv_bias=flag("qkv_bias", config["qkv_bias"]),
        activation=activation_of(config["hidden_act"]),
        layer_scale=dinov2 or scaled,
        gated=gated,
    ).ratio_of(inside, width)


def dinov2_inside(width: int, ratio: float, *, gated: bool) -> int:
    """Return the hidden width of DINOv2's MLPs.

    Gated MLPs have two thirds of `width` times `ratio`, rounded up to a multiple of 8.

    Example:

        >>> dinov2_inside(384, 4, gated=False), dinov2_inside(1536, 4, gated=True)
        (1536, 4096)
    """
    inside = int(width * ratio)
    return -(-(inside * 2 // 3) // 8) * 8 if gated else inside


def inputs_of(
    preprocessing: Mapping[str, Any], channels: int, size: tuple[int, int], model_type: str = "vit"
) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the inputs that `preprocessor_config.json` describes, and notes on assumed values.

    Without that file, the values are those that transformers documents for the model type.

    Example:

        >>> inputs, notes = inputs_of({"image_mean": 0.25, "image_std": 0.5}, 3, (224, 224))
        >>> inputs.mean
        (0.25, 0.25, 0.25)
    """
    require_values(channels, size)
    notes: tuple[str, ...] = ()
    if not preprocessing:
        preprocessing, notes = default_preprocessing(model_type, channels, size)
    normalize, rescale = (
        preprocessing.get(key) is None or flag(key, preprocessing[key])
        for key in ("do_normalize", "do_rescale")
    )
    statistics = {key: preprocessing.get(key) for key in ("image_mean", "image_std")}
    mean, std = (numbers(key, 0.5 if value is None else value, channels) for key, value in statistics.items())
    if not normalize:
        mean, std = (0.0,) * channels, (1.0,) * channels
    # 1 / (1/255) in float64 is not exactly 255, so the result is rounded.
    factor = (
        number("rescale_factor", preprocessing.get("rescale_factor", 1 / 255), positive=True)
        if rescale
        else 1
    )
    inputs = InputSpec(channels, *size, mean, std, round(1 / factor, 6))
    crop, more = crop_of(preprocessing, size)
    return crop.into(inputs), (*notes, *more)


def pair(name: str, value: Any) -> tuple[int, int]:
    """Return (height, width) from one number or two numbers. Raises OptionError for other values.

    Example:

        >>> pair("image_size", 224)
        (224, 224)
    """
    both = (value, value) if isinstance(value, int) else value
    if not isinstance(both, list | tuple) or len(both) != 2:
        raise OptionError(name, got=repr(value), expected="one number or two numbers", do="correct it")
    height, width = (whole(name, side) for side in both)
    return height, width
