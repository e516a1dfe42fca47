"""Writing of folders for transformers: `config.json`, weights, preprocessing and a model card."""

from __future__ import annotations

import json
from typing import Any

import torch
from safetensors.torch import save

import kakera
from kakera.data.images.crop import CenterCrop
from kakera.formats import names, prefix_tokens
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.classes import describe_thresholds
from kakera.formats.foreign.image_processors import described
from kakera.formats.foreign.transformers import AST
from kakera.formats.foreign.transformers_kinds import (
    BEIT,
    DEIT,
    DINOV2,
    DINOV2_REGISTERS,
    PIXIO,
    SOUND,
    Kind,
    dinov2_ratio,
    kind_of,
)
from kakera.formats.foreign.transformers_names import (
    AST_HEAD,
    HEADS,
    NORM,
    NORM_OF_MEAN,
    dinov2_table,
    table,
    unscaled,
    without_key_biases,
)
from kakera.formats.license import card_license
from kakera.formats.names import Row
from kakera.formats.native import WEIGHTS
from kakera.model.configs import Activation
from kakera.sound.spec import PRESETS

HIDDEN_ACT: dict[Activation, str] = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_pytorch_tanh",
    "quick_gelu": "quick_gelu",
}
PREFIX = {
    AST: "audio_spectrogram_transformer.",
    "vit_mae": "vit.",
}  # prefix of the encoder's names; for other types it is the type


def files(saved: Pretrained) -> dict[str, bytes]:
    """Return the content of each file of the folder. Raises RunError, with the reason, for other models.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> sorted(files(saved))
        ['README.md', 'config.json', 'model.safetensors', 'preprocessor_config.json']
    """
    kind = kind_of(saved)
    shape, ours = saved.encoder.config, saved.model.prefix
    tensors = dict(saved.model.state_dict())
    if kind in (SOUND, DEIT):
        tensors = prefix_tokens.with_rows(tensors, ours)
    if saved.model.pool == "distilled":
        tensors = prefix_tokens.split_heads(tensors)
    if kind in (DINOV2, DINOV2_REGISTERS) and not shape.block.layer_scale:
        tensors |= unscaled(saved.encoder, ours)
    axes = {"ph": shape.patch[0], "pw": shape.patch[1], "c": saved.inputs.channels}
    written = names.write(tensors, _rows(saved, kind, ours), source="transformers", axes=axes)
    if kind is BEIT:
        written = without_key_biases(written)
    if kind is DINOV2_REGISTERS:  # this type always has a mask token, and uses it only in its pretraining
        written[f"{_before(kind, ours)}embeddings.mask_token"] = torch.zeros(
            1, shape.width, dtype=saved.encoder.reference.dtype
        )
    return {
        "config.json": _json(configuration(saved)),
        "preprocessor_config.json": _json(preprocessing(saved)),
        "README.md": card(saved).encode(),
        WEIGHTS: save(written, {"format": "pt"}),
    }


def _before(kind: Kind, ours: str) -> str:
    return PREFIX.get(kind.model_type, f"{kind.model_type}.") if ours else ""


def _rows(saved: Pretrained, kind: Kind, ours: str) -> tuple[Row, ...]:
    pre = _before(kind, ours)
    if kind in (DINOV2, DINOV2_REGISTERS):
        return dinov2_table(pre, ours, gated=saved.encoder.config.block.gated)
    count = saved.encoder.config.class_tokens
    heads, norm = AST_HEAD if kind is SOUND else HEADS, NORM_OF_MEAN if kind is BEIT else NORM
    return table(pre, ours, heads=heads, norm=norm, short=kind is PIXIO, class_tokens=count)


def configuration(saved: Pretrained) -> dict[str, Any]:
    """Return `config.json`. It always contains epsilon, because the default of transformers is 1e-12.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> configuration(saved)["architectures"]
        ['ViTModel']
    """
    encoder, kind = saved.encoder, kind_of(saved)
    shape = encoder.config
    content: dict[str, Any] = {
        "architectures": [kind.architecture(saved)],
        "model_type": kind.model_type,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.heads,
        "hidden_act": HIDDEN_ACT[shape.block.activation],
        "layer_norm_eps": shape.block.epsilon,
        "qkv_bias": shape.block.qkv_bias,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "patch_size": _pair(shape.patch),
        **_layers(saved, kind),
    }
    if kind is SOUND:
        content |= {"num_mel_bins": saved.inputs.height, "max_length": saved.inputs.width}
        content |= dict(zip(("frequency_stride", "time_stride"), shape.step, strict=True))
    else:
        content |= {"image_size": _pair(encoder.size), "num_channels": saved.inputs.channels}
    if saved.model.classifies:
        classes = dict(enumerate(saved.classes))
        content |= {"id2label": classes, "label2id": {name: number for number, name in classes.items()}}
        problem = "multi_label_classification" if saved.multi_label else "single_label_classification"
        content |= {"problem_type": problem}
        if saved.thresholds:  # transformers has no field for them
            content |= {"kakera": describe_thresholds(saved.thresholds)}
    if saved.model.reconstructs:
        model = require_mae(saved).model
        decoder = model.decoder.config
        content |= {
            "decoder_hidden_size": decoder.width,
            "decoder_num_hidden_layers": decoder.depth,
            "decoder_num_attention_heads": decoder.heads,
            "decoder_intermediate_size": round(decoder.width * decoder.block.ratio),
            "norm_pix_loss": model.norm_pix_loss,
        }
    return content


def _layers(saved: Pretrained, kind: Kind) -> dict[str, Any]:
    """Return the fields whose names differ between model types."""
    shape = saved.encoder.config
    if kind in (DINOV2, DINOV2_REGISTERS):
        content: dict[str, Any] = {"mlp_ratio": dinov2_ratio(saved), "use_swiglu_ffn": shape.block.gated}
        more = {"use_mask_token": False} if kind is DINOV2 else {"num_register_tokens": shape.registers}
        return content | more
    if kind is PIXIO:
        return {"mlp_ratio": dinov2_ratio(saved), "n_cls_tokens": shape.class_tokens}
    content = {"intermediate_size": round(shape.width * shape.block.ratio)}
    if kind is not BEIT:
        return content
    scale = 0.1 if shape.block.layer_scale else 0.0
    positions = {"use_absolute_position_embeddings": True, "use_mean_pooling": True}
    return content | positions | {"layer_scale_init_value": scale, "drop_path_rate": 0.0}


def preprocessing(saved: Pretrained) -> dict[str, Any]:
    """Return `preprocessor_config.json`: the same centre crop, mean and standard deviation.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> preprocessing(saved)["image_mean"]
        [0.5]
    """
    inputs = saved.inputs
    if kind_of(saved) is SOUND:
        return {
            "feature_extractor_type": "ASTFeatureExtractor",
            "feature_size": 1,
            "sampling_rate": PRESETS["ast"].rate,
            "num_mel_bins": inputs.height,
            "max_length": inputs.width,
            "padding_value": 0.0,
            "do_normalize": True,
            "mean": inputs.mean[0],
            "std": inputs.std[0] / 2,  # the extractor divides by two standard deviations
            "return_attention_mask": False,
        }
    return {
        **described(CenterCrop.of(inputs), inputs.channels),
        "do_rescale": True,
        "rescale_factor": 1 / inputs.scale,
        "do_normalize": True,
        "image_mean": list(inputs.mean),
        "image_std": list(inputs.std),
    }


def card(saved: Pretrained) -> str:
    """Return `README.md`, the model card that the hub shows.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> "library_name: transformers" in card(saved)
        True
    """
    inputs, sound = saved.inputs, kind_of(saved) is SOUND
    classifies = saved.model.classifies
    head = ["---", "library_name: transformers", f"tags: [{'audio' if sound else 'vision'}, kakera]"]
    head += [f"pipeline_tag: {'audio' if sound else 'image'}-classification"] if classifies else []
    license, licence = card_license(saved.license)
    does = [f"It classifies {len(saved.classes)} classes: {', '.join(saved.classes)}."] if classifies else []
    return "\n".join(
        [
            *head,
            *license,
            "---",
            "",
            f"# {kind_of(saved).architecture(saved)}, written by kakera {kakera.__version__}",
            "",
            f"Its inputs are spectrograms of {inputs.height} mel bands and {inputs.width} frames."
            if sound
            else f"Its inputs are {inputs.channels} channels of {inputs.height} × {inputs.width} pixels. "
            "`preprocessor_config.json` may stretch pictures to this size; kakera crops the centre.",
            *does,
            "",
            licence,
            "",
        ]
    )


def _pair(value: tuple[int, int]) -> int | list[int]:
    return value[0] if value[0] == value[1] else list(value)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
