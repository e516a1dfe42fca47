"""Writing of folders for timm: `config.json` with arguments and preprocessing, weights, a model card.

timm.create_model("local-dir:FOLDER", pretrained=True)
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from safetensors.torch import save
from torch import Tensor

import kakera
from kakera.errors import RunError
from kakera.formats import names, prefix_tokens
from kakera.formats.bundle import Pretrained
from kakera.formats.classes import describe_thresholds
from kakera.formats.foreign.timm import table
from kakera.formats.license import card_license
from kakera.formats.native import WEIGHTS
from kakera.inputs import InputSpec
from kakera.model.classifier import default_pool

# Epsilons of timm's norms, which no model argument changes: CLIP's constructor has the second.
EPSILON, CLIP_EPSILON = 1e-6, 1e-5
POOLS = ("class", "mean", "distilled", "normed mean", "attention")
OTHER = "choose another model or another format"
BYTE = 255.0  # timm always divides stored values by 255
# Constructors for features without an argument: a gated MLP, a distillation token, the epsilon of CLIP.
PLAIN, GATED = "vit_base_patch16_224", "vit_giant_patch14_dinov2"
CLIP = "vit_base_patch16_clip_224"
DISTILLED = "deit_base_distilled_patch16_224"


def files(saved: Pretrained) -> dict[str, bytes]:
    """Return the content of each file of the folder. Raises RunError, with the reason, for other models.

    Example:

        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> sorted(files(saved))
        ['README.md', 'config.json', 'model.safetensors']
    """
    _require_expressible(saved)
    ours = saved.model.prefix
    distilled, mean = _distilled(saved), saved.model.pool == "mean"
    tensors = dict(saved.model.state_dict())
    if saved.encoder.config.norm_pre:
        del tensors[f"{ours}patches.project.bias"]  # of zeros: timm's has none
    if _pool(saved) != "map":  # the head of an encoder whose classifier does not use it
        tensors = {name: t for name, t in tensors.items() if ".attention_pool." not in f".{name}"}
    if distilled or (saved.encoder.config.registers and not _apart(saved)):
        tensors = prefix_tokens.with_rows(tensors, ours)
    elif _apart(saved):
        tensors[f"{ours}positions"] = tensors[f"{ours}positions"][saved.encoder.config.class_tokens :]
    if distilled:
        tensors = prefix_tokens.split_heads(tensors)
    patch = saved.encoder.config.patch
    axes = {"ph": patch[0], "pw": patch[1], "c": saved.inputs.channels}
    rows = table(ours, norm="fc_norm" if mean else "norm", distilled=distilled, two_heads=distilled)
    written: dict[str, Tensor] = names.write(tensors, rows, source="timm", axes=axes)
    return {
        "config.json": json.dumps(configuration(saved), indent=2, ensure_ascii=False).encode() + b"\n",
        "README.md": card(saved).encode(),
        WEIGHTS: save(written, {"format": "pt"}),
    }


def configuration(saved: Pretrained) -> dict[str, Any]:
    """Return `config.json` with every argument, because none follows from the architecture's name.

    Example:

        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> configuration(saved)["model_args"]["patch_size"]
        [4, 4]
    """
    shape, inputs = saved.encoder.config, saved.inputs
    kind, count = shape.block, len(saved.classes)
    inside = round(shape.width * kind.ratio) * (2 if kind.gated else 1)
    arguments: dict[str, Any] = {
        "img_size": list(inputs.size),
        "patch_size": list(shape.patch),
        "in_chans": inputs.channels,
        "embed_dim": shape.width,
        "depth": shape.depth,
        "num_heads": shape.heads,
        # timm rounds the product down
        "mlp_ratio": inside / shape.width if inside % shape.width == 0 else (inside + 0.5) / shape.width,
        "qkv_bias": kind.qkv_bias,
        "init_values": 1e-5 if kind.layer_scale else None,
        "global_pool": _pool(saved),
    }
    if saved.model.pool == "normed mean":
        arguments["fc_norm"] = False
    if not shape.class_tokens:
        arguments |= {"class_token": False, "fc_norm": saved.model.pool == "mean"}
    if shape.norm_pre or kind.epsilon == CLIP_EPSILON:
        arguments["pre_norm"] = shape.norm_pre
    if not _distilled(saved):
        arguments |= {"reg_tokens": shape.registers, "no_embed_class": _apart(saved)}
    if kind.activation != "gelu" and not kind.gated:
        arguments["act_layer"] = kind.activation
    mean, std = ([v * inputs.scale / BYTE for v in values] for values in (inputs.mean, inputs.std))
    content: dict[str, Any] = {
        "architecture": _architecture(saved),
        "num_classes": count,
        "num_features": shape.width,
        "global_pool": _pool(saved),
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [inputs.channels, *inputs.size],
            "fixed_input_size": True,
            "interpolation": inputs.interpolation,
            "crop_pct": _share(inputs),
            "crop_mode": "squash" if len(inputs.resize) == 2 else "center",
            "mean": mean,
            "std": std,
            "num_classes": count,
            "first_conv": "patch_embed.proj",
            "classifier": ["head", "head_dist"] if _distilled(saved) else "head",
        },
        # Properties that timm's configuration cannot express.
        "kakera": {"inputs": inputs.to_json(), "multi_label": saved.multi_label}
        | describe_thresholds(saved.thresholds),
    }
    return content | ({"label_names": list(saved.classes)} if saved.classes else {})


def card(saved: Pretrained) -> str:
    """Return `README.md`, the model card that the hub shows.

    Example:

        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> "library_name: timm" in card(saved)
        True
    """
    inputs, classes = saved.inputs, saved.classes
    head = ["---", "library_name: timm", "tags: [vision, timm, kakera]"]
    head += ["pipeline_tag: image-classification"] if classes else []
    does = [f"It classifies {len(classes)} classes: {', '.join(classes)}."] if classes else []
    license, licence = card_license(saved.license)
    text = [
        *head,
        *license,
        "---",
        "",
        f"# A Vision Transformer for timm, written by kakera {kakera.__version__}",
        "",
        '`timm.create_model("local-dir:FOLDER", pretrained=True)` opens it.',
        f"Its inputs are {inputs.channels} channels of {inputs.height} × {inputs.width} values.",
        *(
            ["These are log-mel spectrograms; timm does not compute them from recordings."]
            if inputs.sound
            else []
        ),
        *does,
        "",
        licence,
        "",
    ]
    return "\n".join(text)


def _share(inputs: InputSpec) -> float:
    """Return timm's `crop_pct`; timm rounds size / crop_pct down."""
    if not inputs.resize:
        return inputs.crop_pct
    side = inputs.resize[0]
    share = inputs.height / side
    return share if math.floor(inputs.height / share) == side else inputs.height / (side + 0.5)


def _pool(saved: Pretrained) -> str:
    pool, shape = saved.model.pool or default_pool(saved.encoder.config), saved.encoder.config
    if pool == "attention":
        return "map"
    return "avg" if pool in ("mean", "normed mean") or not shape.class_tokens else "token"


def _architecture(saved: Pretrained) -> str:
    block = saved.encoder.config.block
    plain = CLIP if block.epsilon == CLIP_EPSILON else PLAIN
    return GATED if block.gated else DISTILLED if _distilled(saved) else plain


def _distilled(saved: Pretrained) -> bool:
    return saved.model.pool == "distilled"


def _apart(saved: Pretrained) -> bool:
    """Return True if the model has registers and no class token with a position embedding."""
    encoder = saved.encoder
    if encoder.positions is None or not encoder.config.registers or _distilled(saved):
        return False
    return not (encoder.config.class_tokens and bool(encoder.positions[0].any()))


def _require_expressible(saved: Pretrained) -> None:
    model = saved.model
    if not model.has_attention:
        _refuse("a CNN")
    if model.reconstructs:
        _refuse("a masked autoencoder (--encoder converts only its encoder)")
    shape = saved.encoder.config
    if shape.patch_width or not (shape.has_table or shape.rotary):
        _refuse("positions along the sequence of patches (BEATs)")
    if shape.rotary:
        _refuse("rotary positions (DINOv3)")
    if shape.block.norm == "post" or not shape.final_norm:
        _refuse("a norm after each branch, or no final norm (EAT)")
    if shape.class_tokens > 1:
        _refuse(f"{shape.class_tokens} class tokens")
    clip = shape.block.epsilon == CLIP_EPSILON and not shape.block.gated and not _distilled(saved)
    if shape.norm_pre and (not clip or bool(saved.encoder.patches.project.bias.any())):
        _refuse("a norm before the layers with a bias of the patches, or with an epsilon other than 1e-5")
    if shape.block.epsilon != EPSILON and not clip:
        _refuse(f"layer norms with an epsilon of {shape.block.epsilon:g}")
    if shape.step != shape.patch:
        _refuse("patches that overlap")
    norm = model.head_epsilon is not None
    if model.classifies and (norm or model.pool not in POOLS):
        both = model.pool in ("class and mean", "class and attention")
        do = "fit the head again with --pool class" if both else OTHER
        _refuse(f"a head with {model.pool} pooling" + (" and a norm" if norm else ""), do)


def _refuse(got: str, do: str = OTHER) -> NoReturn:
    raise RunError("timm", got=got, expected="a model that timm's Vision Transformer can express", do=do)
