"""Reading of timm's Vision Transformers: a folder with `config.json`, or only a state dict.

For a state dict without configuration, the number of heads follows from the width in timm's sizes, and
pictures are assumed to be square.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from kakera.data.images.crop import CenterCrop
from kakera.errors import OptionError
from kakera.formats import names, prefix_tokens
from kakera.formats.build import without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.description import inputs_of, thresholds_of
from kakera.formats.doubts import activation_warning
from kakera.formats.fields import flag, number, numbers, whole
from kakera.formats.foreign import mae
from kakera.formats.foreign.image_processors import CLIP, whole_patches
from kakera.formats.foreign.timm_architectures import (
    OTHER_POSITIONS,
    ROPE_BASE,
    ROPE_SPAN,
    ROTARY,
    activation_of,
    epsilon_of,
    heads_of,
    is_rope,
    require_known_args,
)
from kakera.formats.foreign.transformers_names import TOKENS
from kakera.formats.names import ROW, ROWS, Row, with_prefix
from kakera.formats.old_names import current
from kakera.grid import Grid
from kakera.inputs import INTERPOLATIONS, InputSpec
from kakera.model.classifier import Classifier, Pooling
from kakera.model.configs import BlockConfig, ViTConfig, decoder_for, pair
from kakera.model.network import Network
from kakera.model.vit import ViT

DINOV3_SIZE = 256  # side in pixels of timm's DINOv3
HALF = 0.5  # mean and standard deviation of timm's own ViTs; others have ImageNet's
DROPPED = ("mask_token",)
SCALES = (("scale1", "ls1.gamma"), ("scale2", "ls2.gamma"), ("scale1", "gamma_1"), ("scale2", "gamma_2"))
PARTS = (
    Row("attention.qkv.*", tuple(f"attn.{part}_proj.*" for part in "qkv")),
    Row("mlp.norm.*", "mlp.norm.*"),
)
LAYER = (
    *mae.LAYER,
    *(Row(*names) for names in SCALES),
    Row("mlp.up.*", ("mlp.fc1_g.*", "mlp.fc1_x.*")),
    *PARTS,
)
REGISTERS, DISTILLED = Row("registers", "reg_token", TOKENS), Row("registers", "dist_token", TOKENS)
ENCODER = (
    Row("class_token", "cls_token", ROW),
    Row("positions", "pos_embed", ROWS),
    Row("patches.project.weight", "patch_embed.proj.weight", names.CONVOLUTION),
    Row("patches.project.bias", "patch_embed.proj.bias"),
    Row("norm_pre.*", "norm_pre.*"),
    Row("attention_pool.probe", "attn_pool.latent", ROW),
    *(Row(f"attention_pool.attention.{name}.*", f"attn_pool.{name}.*") for name in ("q", "kv")),
    Row("attention_pool.attention.out.*", "attn_pool.proj.*"),
    Row("attention_pool.norm.*", "attn_pool.norm.*"),
    Row("attention_pool.mlp.up.*", "attn_pool.mlp.fc1.*"),
    Row("attention_pool.mlp.down.*", "attn_pool.mlp.fc2.*"),
    *with_prefix("layers.{}.", "blocks.{}.", LAYER),
)
HEAD = (Row("head.*", "head.*"),)
TWO_HEADS = (Row("heads.class.*", "head.*"), Row("heads.distilled.*", "head_dist.*"))


def table(
    ours: str, *, norm: str = "norm", distilled: bool = False, two_heads: bool = False
) -> tuple[Row, ...]:
    """Return all rows; `ours` is the prefix of the encoder's names in kakera.

    `norm` is the name of the final norm: `fc_norm` in a classifier that averages patches. `distilled` is
    True for a distillation token, `two_heads` for a second head on it.

    Example:

        >>> table("encoder.")[0].ours, table("encoder.")[0].theirs
        ('encoder.class_token', ('cls_token',))
    """
    register = DISTILLED if distilled else REGISTERS
    encoder = (*ENCODER, register, Row("norm.*", f"{norm}.*"))
    return (*with_prefix(ours, "", encoder), *(TWO_HEADS if two_heads else HEAD))


def read(tensors: Mapping[str, Tensor], source: str, config: Mapping[str, Any] | None = None) -> Pretrained:
    """Build the model of a state dict, with its `config.json` if available. Raises RunError.

    Example:

        >>> from safetensors.torch import load
        >>> from kakera.formats.foreign.timm_writer import configuration, files
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> tensors = load(files(saved)["model.safetensors"])
        >>> read(tensors, "model", configuration(saved)).encoder.config.heads
        2
    """
    tensors, architecture = _with_biases(tensors), (config or {}).get("architecture")
    source = f"{source} ({architecture})" if architecture else source  # named in every error
    with without_memory(source, expected="a Vision Transformer of timm", do="name another model"):
        saved = _build(tensors, config or {}, source)
    ours = saved.model.prefix
    rows = table(
        ours,
        norm="fc_norm" if "fc_norm.weight" in tensors else "norm",
        distilled="dist_token" in tensors,
        two_heads="head_dist.weight" in tensors,
    )
    patch = saved.encoder.config.patch
    axes = {"ph": patch[0], "pw": patch[1], "c": saved.inputs.channels}
    mapped = names.read(tensors, rows, source=source, axes=axes)
    if is_rope(str(architecture)):
        _in_halves(mapped, saved.encoder.config.heads)
    prefix_tokens.join_heads(mapped)
    prefix_tokens.convert_tokens(mapped, ours, saved.encoder.grid.count)
    names.fill(saved.model, mapped, rows, source=source)
    return saved


def is_dinov3(tensors: Mapping[str, Tensor], architecture: str = "") -> bool:
    """Return True for DINOv3's tensors: no position embeddings, but a class token and registers.

    Example:

        >>> is_dinov3({"cls_token": torch.zeros(1, 1, 4), "pos_embed": torch.zeros(1, 5, 4)})
        False
    """
    named = "dinov3" in architecture or not architecture
    return named and "pos_embed" not in tensors and {"cls_token", "reg_token"} <= tensors.keys()


def _require_known(tensors: Mapping[str, Tensor], architecture: str) -> None:
    """Raise OptionError for positions that are neither a table nor DINOv3's."""
    if is_rope(architecture) and ("pos_embed" in tensors) == architecture.startswith("eva02"):
        return
    other = any(name in architecture for name in OTHER_POSITIONS)
    if other or not ("pos_embed" in tensors or is_dinov3(tensors, architecture)):
        got = f"{architecture or 'a model'} with other positions"
        expected = "a table of position embeddings, or DINOv3"
        raise OptionError("positions", got=got, expected=expected, do="choose another model")
    if "pos_embed" in tensors and any(name.endswith(".gamma_1") for name in tensors):
        got = f"{architecture or 'a model'} of timm's Eva class"
        raise OptionError("layers", got=got, expected="DINOv3, or a plain ViT", do="choose another model")


def _in_halves(mapped: dict[str, Tensor], heads: int) -> None:
    """Sort the values of queries and keys in place, so that the two of a rotated pair are half a head apart.

    timm has them side by side. Both are sorted alike, so the attention does not change.
    """
    for name in [name for name in mapped if ".attention.qkv." in name]:
        queries, keys, values = mapped[name].chunk(3)
        way = "(h pair two) ... -> (h two pair) ..."
        parts = [rearrange(part, way, h=heads, two=2) for part in (queries, keys)]
        mapped[name] = torch.cat([*parts, values])


def _with_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with biases of zero where timm has none: CLIP's patches, DINOv3's keys."""
    result = {name: tensor for name, tensor in tensors.items() if name not in DROPPED}
    patches = result.get("patch_embed.proj.weight")
    if patches is not None and "norm_pre.weight" in result:
        result.setdefault("patch_embed.proj.bias", patches.new_zeros(len(patches)))
    for name in tensors:
        if name.endswith(".attn.q_proj.bias"):
            result.setdefault(name.replace(".q_proj.", ".k_proj."), torch.zeros_like(tensors[name]))
        if name.endswith(".attn.q_bias"):
            start = name.removesuffix("q_bias")
            parts = result.pop(name), result.pop(f"{start}v_bias", None)
            if parts[1] is not None:
                joined = torch.cat([parts[0], torch.zeros_like(parts[0]), parts[1]])
                result[f"{start}qkv.bias"] = joined
    return result


def _build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], source: str) -> Pretrained:
    model_args, own = config.get("model_args") or {}, current(config.get("kakera") or {})
    architecture = str(config.get("architecture", ""))
    _require_known(tensors, architecture)
    require_known_args(model_args, architecture, tensors, config.get("global_pool"))
    shape, notes = _shape(tensors, model_args, architecture)
    inputs, assumed = _inputs(tensors, config, own, shape)
    encoder = ViT(shape, channels=inputs.channels, image_size=inputs.size, learned=True)
    doubt = activation_warning(shape, architecture, config.get("pretrained_cfg") or {}, model_args)
    named = architecture or "state dict without its architecture"
    notes = (f"timm {named}", *notes, *assumed, *doubt)
    if "head.weight" not in tensors:
        return Pretrained(encoder, inputs, notes=notes, resampling="antialiased")
    labels = config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names")
    classes = tuple(map(str, labels or range(len(tensors["head.weight"]))))
    model: Network = Classifier(encoder, len(classes), _pool(tensors, config))
    several, thresholds = flag("multi_label", own.get("multi_label", False)), thresholds_of(own)
    return Pretrained(model, inputs, classes, several, notes, "antialiased", thresholds)


def _prefix(tensors: Mapping[str, Tensor]) -> tuple[int, int]:
    """Return the numbers of class tokens and registers."""
    count = sum(tensors[name].shape[1] for name in ("reg_token", "dist_token") if name in tensors)
    return int("cls_token" in tensors), count


def _pool(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Pooling:
    mean, attention = "fc_norm.weight" in tensors, "attn_pool.latent" in tensors
    likely = "map" if attention else "avg" if mean or "cls_token" not in tensors else "token"
    pooling = config.get("global_pool") or likely
    if (
        pooling not in ("avg", "token", "map")
        or (mean and pooling != "avg")
        or attention != (pooling == "map")
    ):
        got = f"{pooling} pooling {'before' if mean else 'after'} the norm"
        expected = "token, avg, or map with attn_pool"
        raise OptionError("pooling", got=got, expected=expected, do="choose another model")
    if "head_dist.weight" in tensors:
        return "distilled"
    if pooling != "avg":
        return "attention" if attention else "class"
    return "mean" if mean else "normed mean"


def _shape(
    tensors: Mapping[str, Tensor], model_args: Mapping[str, Any], architecture: str
) -> tuple[ViTConfig, tuple[str, ...]]:
    width, _, *patch = tensors["patch_embed.proj.weight"].shape
    heads, notes = model_args.get("num_heads"), ()
    if heads is None:
        heads = heads_of(width, architecture)
        notes = (f"{heads} heads assumed, as in timm's size of this width",)
    heads = whole("num_heads", heads)
    split, leave = "blocks.0.mlp.fc1_g.weight" in tensors, tensors["blocks.0.mlp.fc2.weight"].shape
    gated = split or tensors["blocks.0.mlp.fc1.weight"].shape[0] == 2 * leave[1]
    kind = BlockConfig(
        epsilon=epsilon_of(architecture, tensors, model_args),
        qkv_bias=any(f"blocks.0.attn.{name}.bias" in tensors for name in ("qkv", "q_proj")),
        activation="gelu" if gated else activation_of(model_args, architecture),
        layer_scale="blocks.0.ls1.gamma" in tensors or "blocks.0.gamma_1" in tensors,
        gated=gated,
        inner_norm="blocks.0.mlp.norm.weight" in tensors,
    ).ratio_of(leave[1], width)
    depth, sides = mae.depth_of(tensors, "blocks."), (patch[0], patch[1])
    class_tokens, registers = _prefix(tensors)
    rope = is_rope(architecture)
    given = model_args.get("rope_temperature", ROPE_BASE if rope else ROTARY)
    base = number("rope_temperature", given, positive=True)
    shape = ViTConfig(
        width,
        depth,
        heads,
        sides,
        decoder_for(width),
        kind,
        registers,
        class_tokens=class_tokens,
        norm_pre="norm_pre.weight" in tensors,
        attention_pool="attn_pool.latent" in tensors,
        rotary=base if rope or "pos_embed" not in tensors else 0.0,
        rotary_table=rope and "pos_embed" in tensors,
        rotary_span=_span(model_args) if rope else 0.0,
    )
    return shape, notes


def _span(model_args: Mapping[str, Any]) -> float:
    """Return the span of timm's own rotary positions: the patches across at the trained size."""
    reference = pair("ref_feat_shape", model_args.get("ref_feat_shape", (int(ROPE_SPAN), int(ROPE_SPAN))))
    if reference[0] != reference[1]:
        got, expected = f"{reference[0]} × {reference[1]}", "a square"
        raise OptionError("ref_feat_shape", got=got, expected=expected, do="choose another model")
    return float(reference[0])


def _inputs(
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    own: Mapping[str, Any],
    shape: ViTConfig,
) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the input specification and notes."""
    patch, first = shape.patch, shape.prefix_tokens
    if "inputs" in own:
        return inputs_of(own["inputs"]), ()
    pretrained_cfg, model_args = config.get("pretrained_cfg") or {}, config.get("model_args") or {}
    channels = tensors["patch_embed.proj.weight"].shape[1]
    rows = tensors["pos_embed"].shape[1] if "pos_embed" in tensors else 0
    size = model_args.get("img_size") or (pretrained_cfg.get("input_size") or (0,))[1:]
    notes: tuple[str, ...] = ()
    if not size and not rows:
        size, notes = (DINOV3_SIZE, DINOV3_SIZE), (f"pictures of {DINOV3_SIZE} pixels assumed",)
    if not size:
        square = next((n for n in (rows - first, rows) if n > 0 and round(n**0.5) ** 2 == n), None)
        if square is None:
            expected = "positions of a square picture"
            raise OptionError(
                "positions", got=rows, expected=expected, do="add its config.json with img_size"
            )
        size, notes = [round(square**0.5) * side for side in patch], ("square pictures assumed",)
    (height, width), cut = whole_patches((size, size) if isinstance(size, int) else (size[0], size[1]), patch)
    if cut and model_args.get("dynamic_img_pad"):
        got, expected = f"padding of {size} pixels to whole patches", "a size of whole patches"
        raise OptionError("dynamic_img_pad", got=got, expected=expected, do="correct img_size")
    notes += cut
    if rows and rows - Grid.cover((height, width), patch).count not in (0, 1, first):
        do = "use config.json and weights of the same model"
        raise OptionError("positions", got=rows, expected=f"{height} x {width} pixels", do=do)
    if "mean" in pretrained_cfg and "std" in pretrained_cfg:
        mean, std = (numbers(name, pretrained_cfg[name], channels) for name in ("mean", "std"))
    else:
        mean, std, why = _statistics(tensors, channels)
        notes += (f"mean {mean} and standard deviation {std} assumed{why}",)
    inputs = InputSpec(channels, height, width, mean, std)
    crop, assumed = crop_of(pretrained_cfg, (height, width))
    return crop.into(inputs), (*notes, *assumed)


def crop_of(pretrained_cfg: Mapping[str, Any], size: tuple[int, int]) -> tuple[CenterCrop, tuple[str, ...]]:
    """Return the centre crop of a `pretrained_cfg` (the largest without one), and notes on unused fields.

    Example:

        >>> crop, notes = crop_of({"crop_pct": 0.9}, (224, 224))
        >>> crop.resize
        (248,)
    """
    if not pretrained_cfg:
        return CenterCrop(size), ()
    share, mode = float(pretrained_cfg.get("crop_pct") or 0.875), pretrained_cfg.get("crop_mode") or "center"
    name = str(pretrained_cfg.get("interpolation") or "bicubic")
    notes = () if name in INTERPOLATIONS else (f"interpolation {name} is not supported: kakera uses bicubic",)
    name = name if name in INTERPOLATIONS else "bicubic"
    sides = (math.floor(size[0] / share), math.floor(size[1] / share))
    if mode == "border":
        notes += ("crop_mode border is not supported: kakera uses the largest centre crop",)
        return CenterCrop(size, interpolation=name), notes
    if mode != "squash" and sides[0] != sides[1]:
        return CenterCrop(size, min(share, 1.0), interpolation=name), notes
    resize = sides if mode == "squash" else sides[:1]
    return CenterCrop(size, resize=resize, interpolation=name, offset="even"), notes


def _statistics(
    tensors: Mapping[str, Tensor], channels: int
) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Return mean, standard deviation and a reason: timm's own ViTs have 0.5.

    Models from other projects (DeiT, MAE, DINOv2) have ImageNet's statistics, and so do encoders without a
    head, as self-distillation publishes them (DINO, Caron et al. 2021).
    """
    if channels == 3 and "norm_pre.weight" in tensors:
        return CLIP["image_mean"], CLIP["image_std"], " (CLIP)"
    if channels == 3 and "pos_embed" not in tensors:
        return mae.MEAN, mae.STD, " (DINOv3)"
    elsewhere = ("dist_token", "reg_token", "fc_norm.weight", "blocks.0.ls1.gamma")
    if channels == 3 and any(name in tensors for name in elsewhere):
        return mae.MEAN, mae.STD, ""
    if channels == 3 and "head.weight" not in tensors:
        return mae.MEAN, mae.STD, " (ImageNet, as for DINO's encoders without a head)"
    return (HALF,) * channels, (HALF,) * channels, ""
