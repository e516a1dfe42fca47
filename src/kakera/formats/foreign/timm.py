"""Reading of timm's Vision Transformers: a folder with `config.json`, or only a state dict.

For a state dict without configuration, the number of heads follows from the width in timm's sizes, and
pictures are assumed to be square.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kakera.data.images.crop import CenterCrop
from kakera.errors import OptionError
from kakera.formats import names, prefix_tokens
from kakera.formats.build import without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.description import inputs_of, thresholds_of
from kakera.formats.fields import flag, numbers, whole
from kakera.formats.foreign import mae
from kakera.formats.foreign.transformers_names import TOKENS
from kakera.formats.names import ROW, ROWS, Row, with_prefix
from kakera.formats.old_names import current
from kakera.grid import Grid
from kakera.inputs import INTERPOLATIONS, InputSpec
from kakera.model.classifier import Classifier, Pooling
from kakera.model.configs import BlockConfig, ViTConfig, decoder_for
from kakera.model.network import Network
from kakera.model.vit import ViT

# Number of heads by width in timm's sizes; width 1536 is DINOv2's.
HEADS = {
    **{64 * heads: heads for heads in (3, 4, 5, 6, 8, 10, 12, 13, 14, 16, 24)},
    **dict.fromkeys((1152, 1280, 1408, 1664), 16),
}
HALF = 0.5  # mean and standard deviation of timm's own ViTs; others have ImageNet's
TANH = ("gelu_tanh", "gelu_pytorch_tanh")
DROPPED = ("mask_token",)
LAYER = (*mae.LAYER, Row("scale1", "ls1.gamma"), Row("scale2", "ls2.gamma"))
REGISTERS, DISTILLED = Row("registers", "reg_token", TOKENS), Row("registers", "dist_token", TOKENS)
ENCODER = (
    Row("class_token", "cls_token", ROW),
    Row("positions", "pos_embed", ROWS),
    Row("patches.project.weight", "patch_embed.proj.weight", names.CONVOLUTION),
    Row("patches.project.bias", "patch_embed.proj.bias"),
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
    tensors = dict(tensors)
    for pattern in DROPPED:
        tensors.pop(pattern, None)
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
    prefix_tokens.join_heads(mapped)
    prefix_tokens.convert_tokens(mapped, ours, saved.encoder.grid.count)
    names.fill(saved.model, mapped, rows, source=source)
    return saved


def _build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], source: str) -> Pretrained:
    model_args, own = config.get("model_args") or {}, current(config.get("kakera") or {})
    registers = _registers(tensors)
    shape, notes = _shape(tensors, model_args, registers)
    inputs, assumed = _inputs(tensors, config, own, shape.patch, 1 + registers)
    encoder = ViT(shape, channels=inputs.channels, image_size=inputs.size, learned=True)
    architecture = config.get("architecture", "state dict without its architecture")
    notes = (f"timm {architecture}", *notes, *assumed)
    if "head.weight" not in tensors:
        return Pretrained(encoder, inputs, notes=notes, resampling="antialiased")
    labels = config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names")
    classes = tuple(map(str, labels or range(len(tensors["head.weight"]))))
    model: Network = Classifier(encoder, len(classes), _pool(tensors, config))
    several, thresholds = flag("multi_label", own.get("multi_label", False)), thresholds_of(own)
    return Pretrained(model, inputs, classes, several, notes, "antialiased", thresholds)


def _registers(tensors: Mapping[str, Tensor]) -> int:
    """Return the number of registers; without a class token the first register replaces it."""
    count = sum(tensors[name].shape[1] for name in ("reg_token", "dist_token") if name in tensors)
    if "cls_token" in tensors:
        return count
    if not count:
        raise OptionError(
            "tokens", got="no class token and no register", expected="one", do="choose another model"
        )
    return count - 1


def _pool(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Pooling:
    mean = "fc_norm.weight" in tensors
    pooling = config.get("global_pool") or ("avg" if mean or "cls_token" not in tensors else "token")
    if pooling not in ("avg", "token") or mean != (pooling == "avg"):
        got = f"{pooling} pooling {'before' if mean else 'after'} the norm"
        raise OptionError(
            "pooling", got=got, expected="token, or avg with fc_norm", do="choose another model"
        )
    if "head_dist.weight" in tensors:
        return "distilled"
    return "mean" if mean else "class"


def heads_of(width: int) -> int:
    """Return the number of heads for a width. Raises OptionError if timm has no size of this width.

    Example:

        >>> heads_of(768)
        12
    """
    if width not in HEADS:
        widths = ", ".join(map(str, sorted(HEADS)))
        raise OptionError("width", got=width, expected=widths, do="add its config.json with num_heads")
    return HEADS[width]


def _shape(
    tensors: Mapping[str, Tensor], model_args: Mapping[str, Any], registers: int
) -> tuple[ViTConfig, tuple[str, ...]]:
    width, _, *patch = tensors["patch_embed.proj.weight"].shape
    heads, notes = model_args.get("num_heads"), ()
    if heads is None:
        heads = heads_of(width)
        notes = (f"{heads} heads assumed, as in timm's size of this width",)
    heads = whole("num_heads", heads)
    enter, leave = (tensors[f"blocks.0.mlp.{name}.weight"].shape for name in ("fc1", "fc2"))
    kind = BlockConfig(
        qkv_bias="blocks.0.attn.qkv.bias" in tensors,
        tanh_gelu=model_args.get("act_layer") in TANH,
        layer_scale="blocks.0.ls1.gamma" in tensors,
        gated=enter[0] == 2 * leave[1],
    ).ratio_of(leave[1], width)
    depth, sides = mae.depth_of(tensors, "blocks."), (patch[0], patch[1])
    return ViTConfig(width, depth, heads, sides, decoder_for(width), kind, registers), notes


def _inputs(
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    own: Mapping[str, Any],
    patch: tuple[int, int],
    first: int,
) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the input specification and notes; `first` is the number of tokens before the patches."""
    if "inputs" in own:
        return inputs_of(own["inputs"]), ()
    pretrained_cfg, model_args = config.get("pretrained_cfg") or {}, config.get("model_args") or {}
    channels, rows = tensors["patch_embed.proj.weight"].shape[1], tensors["pos_embed"].shape[1]
    size = model_args.get("img_size") or (pretrained_cfg.get("input_size") or (0,))[1:]
    notes: tuple[str, ...] = ()
    if not size:
        square = next((n for n in (rows - first, rows) if n > 0 and round(n**0.5) ** 2 == n), None)
        if square is None:
            expected = "positions of a square picture"
            raise OptionError(
                "positions", got=rows, expected=expected, do="add its config.json with img_size"
            )
        size, notes = [round(square**0.5) * side for side in patch], ("square pictures assumed",)
    height, width = (size, size) if isinstance(size, int) else size
    if rows - Grid.cover((height, width), patch).count not in (0, 1, first):
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
    elsewhere = ("dist_token", "reg_token", "fc_norm.weight", "blocks.0.ls1.gamma")
    if channels == 3 and any(name in tensors for name in elsewhere):
        return mae.MEAN, mae.STD, ""
    if channels == 3 and "head.weight" not in tensors:
        return mae.MEAN, mae.STD, " (ImageNet, as for DINO's encoders without a head)"
    return (HALF,) * channels, (HALF,) * channels, ""
