"""Reading of EAT (Chen et al. 2024, "Efficient Audio Transformer"): its own files and its folders of the hub.

Its layers have the norm after each branch, and there is no final norm. Its spectrograms have time as rows and
frequency as columns, so patches and position embeddings are turned, as for AudioMAE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from kakera.errors import OptionError
from kakera.formats import names
from kakera.formats.build import without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.fields import mapping, number, whole
from kakera.formats.foreign import mae, timm
from kakera.formats.foreign.ast_inputs import BINS, is_multi_label, spectrograms
from kakera.formats.foreign.audiomae import TURNED
from kakera.formats.foreign.transformers import pair
from kakera.formats.names import ROW, ROWS, Row, with_prefix
from kakera.model.classifier import Classifier, Pooling
from kakera.model.configs import BlockConfig, ViTConfig, decoder_for
from kakera.model.network import Network
from kakera.model.vit import ViT

TYPE = "eat"  # `model_type` in config.json
PATCHES = "local_encoder.proj.weight"
FRAMES = 1024
# By number of classes: the data set, and the mean and standard deviation of its log-mel values.
AUDIOSET = ("AudioSet", -4.268, 4.569)
STATISTICS = {50: ("ESC-50", -6.627, 5.359), 35: ("Speech Commands", -6.846, 5.565)}
POOLS: dict[str, Pooling] = {"CLS_TOKEN": "class", "MEAN_POOLING": "mean"}


class Layout(NamedTuple):
    """The prefixes of EAT's names: `first` of the parts before the layers, `rest` of the layers.

    `norm` is the norm before the layers, `head` the prefix of the head, and `epsilon` that of its norm.
    `dropped` are the parts that only pretraining uses.

    Example:

        >>> layout_of({"model.local_encoder.proj.weight": torch.zeros(1)}).norm
        'model.pre_norm'
    """

    first: str
    rest: str
    norm: str
    head: str
    epsilon: float
    dropped: tuple[str, ...] = ()


def is_eat(tensors: Mapping[str, Tensor]) -> bool:
    """Return True for tensors with EAT's names.

    Example:

        >>> is_eat({"modality_encoders.IMAGE.local_encoder.proj.weight": torch.zeros(1)})
        True
    """
    return any(name.endswith(PATCHES) for name in tensors)


def layout_of(tensors: Mapping[str, Tensor]) -> Layout:
    """Return the layout of EAT's names: that of its own code, or that of its folders of the hub.

    Example:

        >>> layout_of({"modality_encoders.IMAGE.local_encoder.proj.weight": torch.zeros(1)}).rest
        ''
    """
    first = next(name for name in tensors if name.endswith(PATCHES)).removesuffix(PATCHES)
    if not first.endswith("modality_encoders.IMAGE."):
        return Layout(first, first, f"{first}pre_norm", first, epsilon=1e-5)
    rest = first.removesuffix("modality_encoders.IMAGE.")
    parts = (
        f"{first}decoder.",
        *(f"{rest}{each}" for each in ("shared_decoder.", "recon_proj.", "cls_proj.")),
    )
    more = (*parts, f"{rest}center")
    return Layout(first, rest, f"{first}context_encoder.norm", "", epsilon=1e-6, dropped=more)


def read(tensors: Mapping[str, Tensor], source: str, config: Mapping[str, Any] | None = None) -> Pretrained:
    """Read the encoder, or the classifier with its head on the class token. Raises RunError.

    `config` is a `config.json`, or the part `model` of the options in a file of EAT's own code. A decoder is
    not read.

    Example:

        >>> block = BlockConfig(norm="post")
        >>> shape = ViTConfig(192, 1, 3, (16, 16), decoder_for(192), block, norm_pre=True, final_norm=False)
        >>> layout = Layout("model.", "model.", "model.pre_norm", "model.", 1e-5)
        >>> axes = {"ph": 16, "pw": 16, "c": 1}
        >>> ours = ViT(shape, channels=1, image_size=(128, 64)).state_dict()
        >>> ours["positions"] = ours["positions"][1:]
        >>> tensors = names.write(ours, table("", layout), source="eat", axes=axes)
        >>> read(tensors, "model", {"num_heads": 3}).inputs.size
        (128, 64)
    """
    layout = layout_of(tensors)
    left = {name: tensor for name, tensor in tensors.items() if not name.startswith(layout.dropped)}
    with without_memory(source, expected="weights named as in EAT's code", do="name another model"):
        saved = _build(left, layout, config or {})
    ours, encoder = saved.model.prefix, saved.encoder
    axes = {"ph": encoder.config.patch[0], "pw": encoder.config.patch[1], "c": 1}
    rows = table(ours, layout)
    mapped = names.read(left, rows, source=source, axes=axes)
    grid, positions = encoder.grid, mapped[f"{ours}positions"]
    turned = rearrange(positions[: grid.count], "(cols rows) d -> (rows cols) d", rows=grid.rows)
    mapped[f"{ours}positions"] = torch.cat([positions.new_zeros(1, positions.shape[1]), turned])
    names.fill(saved.model, mapped, rows, source=source)
    count = len(tensors) - len(left)
    dropped = (f"{count} tensors of its pretraining are not used",) if count else ()
    return replace(saved, notes=(*saved.notes, *dropped))


def table(ours: str, layout: Layout) -> tuple[Row, ...]:
    """Return all rows; `ours` is the prefix of the encoder's names in kakera.

    Example:

        >>> table("", Layout("", "", "pre_norm", "", 1e-5))[0].theirs
        ('extra_tokens',)
    """
    first = (
        Row("class_token", "extra_tokens", ROW),
        Row("positions", "fixed_positional_encoder.positions", ROWS),
        Row("patches.project.weight", PATCHES, TURNED),
        Row("patches.project.bias", "local_encoder.proj.bias"),
    )
    layers = with_prefix("layers.{}.", f"{layout.rest}blocks.{{}}.", mae.LAYER)
    encoder = (*with_prefix("", layout.first, first), Row("norm_pre.*", f"{layout.norm}.*"), *layers)
    head = (Row("head_norm.*", f"{layout.head}fc_norm.*"), Row("head.*", f"{layout.head}head.*"))
    return (*with_prefix(ours, "", encoder), *head)


def _build(tensors: Mapping[str, Tensor], layout: Layout, config: Mapping[str, Any]) -> Pretrained:
    width, _, across, height = tensors[f"{layout.first}{PATCHES}"].shape
    _require_known(config, (height, across))
    count, bands = tensors[f"{layout.first}fixed_positional_encoder.positions"].shape[1], BINS // height
    frames, depth = count // bands * across, mae.depth_of(_layers(tensors, layout), "blocks.")
    if config.get("model_type") == TYPE:
        frames = min(frames, pair("img_size", config.get("img_size", (FRAMES, BINS)))[0])
    heads = whole("num_heads", config["num_heads"]) if "num_heads" in config else timm.heads_of(width)
    start = f"{layout.rest}blocks.0."
    block = BlockConfig(
        epsilon=number("norm_eps", config.get("norm_eps", 1e-6), positive=True),
        qkv_bias=f"{start}attn.qkv.bias" in tensors,
        norm="post",
    ).ratio_of(tensors[f"{start}mlp.fc1.weight"].shape[0], width)
    shape = ViTConfig(
        width, depth, heads, (height, across), decoder_for(width), block, norm_pre=True, final_norm=False
    )
    weight = tensors.get(f"{layout.head}head.weight")
    classes = () if weight is None else tuple(map(str, range(len(weight))))
    data, mean, std = STATISTICS.get(len(classes), AUDIOSET)
    inputs = spectrograms(frames, mean, std)
    encoder = ViT(shape, channels=1, image_size=inputs.size)
    normed = f"{layout.head}fc_norm.weight" in tensors
    model: Network = encoder
    if classes:
        model = Classifier(encoder, len(classes), _pool(config), layout.epsilon if normed else None)
    multi_label, more = is_multi_label(len(classes))
    assumed = f"{frames} frames and the mean and standard deviation of {data} assumed"
    notes = ("EAT, detected by its tensor names", assumed, *more)
    return Pretrained(model, inputs, classes, multi_label, notes=notes, resampling="kept")


def _layers(tensors: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    return {name.removeprefix(layout.rest): tensor for name, tensor in tensors.items()}


def _pool(config: Mapping[str, Any]) -> Pooling:
    mode = str(config.get("prediction_mode", "CLS_TOKEN"))
    if mode not in POOLS:
        expected = ", ".join(POOLS)
        raise OptionError("prediction_mode", got=mode, expected=expected, do="choose another model")
    return POOLS[mode]


def _require_known(config: Mapping[str, Any], patch: tuple[int, int]) -> None:
    """Raise OptionError for options of EAT's code that none of its published models has."""
    if config.get("layer_norm_first"):
        expected = "a norm after each branch, as published"
        raise OptionError("layer_norm_first", got=True, expected=expected, do="choose another model")
    stride, bands = config.get("stride", patch), config.get("mel_bins", BINS)
    if pair("stride", stride) != patch or bands != BINS or BINS % patch[0]:
        got = f"a stride of {stride} and {bands} bands for patches of {patch[0]} × {patch[1]}"
        expected = f"patches side by side on {BINS} bands"
        raise OptionError("patches", got=got, expected=expected, do="choose another model")


def options_of(around: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of the model that a file of EAT's own code has beside its weights; {} without them.

    Those of a fine-tuned model have the options of the pretrained one inside.

    Example:

        >>> options_of({"cfg": {"model": {"num_heads": 12}}})
        {'num_heads': 12}
    """
    options = mapping("cfg", around.get("cfg") or {})
    model = mapping("model", options.get("model") or {})
    inner = model.get("pretrained_model_args")
    return {**options_of({"cfg": inner}), **model} if inner else model
