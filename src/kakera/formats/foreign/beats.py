"""Reading of BEATs (Chen et al. 2023) and OpenBEATs (Bharadwaj et al. 2025): files of their own code.

Patches have 512 numbers, then a norm and a linear map to the width of the layers. A convolution and a bias of
the attention give positions along the sequence of patches. Layers have the norm after each sum, in which the
tokens are multiplied by α (Wang et al. 2022, "DeepNet"). There is no class token and no final norm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kakera.errors import OptionError
from kakera.formats import names
from kakera.formats.build import require_numbers, without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.fields import flag, number, whole
from kakera.formats.foreign import mae
from kakera.formats.foreign.ast_inputs import AXES, is_multi_label
from kakera.formats.foreign.audiomae import TURNED
from kakera.formats.names import Row, with_prefix
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, ViTConfig, decoder_for
from kakera.model.network import Network
from kakera.model.vit import ViT
from kakera.sound.spec import FLOOR, SoundSpec

PATCHES, CONVOLUTION = "patch_embedding.weight", "encoder.pos_conv.0."
RELATIVE = "self_attn.relative_attention_bias.weight"
ENCODER = ("patch_embedding.", "post_extract_proj.", "layer_norm.", "encoder.")
UNUSED = ("patch_embedding_pad.", "raw2fbank_pad.")  # convolutions of ones, which move the padding mask
CHANGING = ("downsample_conv.", "conformer_adapter.", "cross_embed_positions.", "layer_weights")
HEADS = ("predictor", "classifier", "head", "output_layer", "decoder.linear_out")
BINS, FRAMES, RATE = 128, 1024, 16_000
LOUDER = 2.0**15  # the reference multiplies samples by it; here the spectrogram has a lower floor and mean
MEAN, STD = 15.41663, 6.55582
EPSILON = 1e-5
FARTHEST = 800  # of the published BEATs
LAYER = (
    Row("norm1.*", "self_attn_layer_norm.*"),
    Row("norm2.*", "final_layer_norm.*"),
    Row("attention.qkv.*", tuple(f"self_attn.{part}_proj.*" for part in "qkv")),
    Row("attention.out.*", "self_attn.out_proj.*"),
    Row("attention.gate.scale", "self_attn.grep_a", ("1 h 1 1", "h")),
    Row("attention.gate.*", "self_attn.grep_linear.*"),
    Row("mlp.up.*", "fc1.*"),
    Row("mlp.down.*", "fc2.*"),
)
ROWS = (
    Row("patches.project.weight", PATCHES, TURNED),
    Row("patches.project.bias", "patch_embedding.bias"),
    Row("patches.norm.*", "layer_norm.*"),
    Row("patches.widen.*", "post_extract_proj.*"),
    Row("convolution.*", f"{CONVOLUTION}*"),
    Row("relative.weight", f"encoder.layers.0.{RELATIVE}"),
    Row("norm_pre.*", "encoder.layer_norm.*"),
    *with_prefix("layers.{}.", "encoder.layers.{}.", LAYER),
)


def is_beats(tensors: Mapping[str, Tensor]) -> bool:
    """Return True for tensors with BEATs' names.

    Example:

        >>> is_beats({"patch_embedding.weight": torch.zeros(1), "encoder.pos_conv.0.bias": torch.zeros(1)})
        True
    """
    ends = (PATCHES, f"{CONVOLUTION}bias")
    return all(any(name.endswith(end) for name in tensors) for end in ends)


def read(tensors: Mapping[str, Tensor], source: str, around: Mapping[str, Any] | None = None) -> Pretrained:
    """Read the encoder, or the classifier whose logits are the mean of those of all patches. Raises RunError.

    `around` are the values beside the weights in the file: `cfg`, and the names of the classes. The decoder
    of the pretraining is not read.

    Example:

        >>> try:
        ...     read({"patch_embedding.weight": torch.zeros(16, 1, 16, 16)}, "model.pt")
        ... except Exception as error:
        ...     print(str(error).partition(",")[0])
        model.pt: got no 'encoder.pos_conv.0.weight_g'
    """
    first = next(name for name in tensors if name.endswith(PATCHES)).removesuffix(PATCHES)
    own = {name.removeprefix(first): t for name, t in tensors.items() if name.startswith(first)}
    encoder = {name: t for name, t in own.items() if name.startswith(ENCODER)}
    rest = {name: t for name, t in tensors.items() if name.removeprefix(first) not in encoder}
    with without_memory(source, expected="weights named as in BEATs' code", do="name another model"):
        _require_known(own)
        require_numbers(encoder, source)
        _simplify(encoder)
        head = _head(rest, encoder["encoder.layer_norm.weight"].shape[0])
        saved = _build(encoder, head, around or {})
    ours, shape = saved.model.prefix, saved.encoder.config
    axes = {"ph": shape.patch[0], "pw": shape.patch[1], "c": 1}
    rows = (*with_prefix(ours, "", ROWS), Row("head.*", "head.*"))
    mapped = names.read({**encoder, **head}, rows, source=source, axes=axes)
    names.fill(saved.model, mapped, rows, source=source)
    count = len([name for name in rest if not name.removeprefix(first).startswith(UNUSED)]) - len(head)
    notes = (f"{count} tensors outside its encoder are not used",) if count > 0 else ()
    return replace(saved, notes=(*saved.notes, *notes))


def _require_known(own: Mapping[str, Tensor]) -> None:
    """Raise OptionError for parts of ESPnet's encoder that change its output."""
    more = sorted(name for name in own if name.startswith(CHANGING))
    if more:
        got, expected = f"an encoder with {more[0]}", "BEATs' encoder alone"
        raise OptionError("layers", got=got, expected=expected, do="name another model")


def _simplify(tensors: dict[str, Tensor]) -> None:
    """Join what training keeps apart, in place: weight norm, sums in the gate, copies of the bias."""
    parts = ("weight_g", "weight_v"), tuple(f"parametrizations.weight.original{n}" for n in (0, 1))
    size, direction = parts[f"{CONVOLUTION}{parts[1][0]}" in tensors]
    g, v = (tensors.pop(f"{CONVOLUTION}{part}").double() for part in (size, direction))
    dtype = tensors[f"{CONVOLUTION}bias"].dtype
    tensors[f"{CONVOLUTION}weight"] = (v * (g / v.norm(dim=(0, 1), keepdim=True))).to(dtype)
    patches = tensors[PATCHES]
    tensors.setdefault("patch_embedding.bias", patches.new_zeros(len(patches)))
    for name in [name for name in tensors if ".grep_linear." in name]:
        summed = tensors[name].double().unflatten(0, (2, -1)).sum(dim=1)
        tensors[name] = summed.to(tensors[name].dtype)
    copies = [name for name in tensors if name.endswith(RELATIVE) and ".0." not in name]
    for name in copies:
        if not torch.equal(tensors.pop(name), tensors[f"encoder.layers.0.{RELATIVE}"]):
            expected = "the bias of the first layer in all layers"
            raise OptionError("relative positions", got=name, expected=expected, do="name another model")


def _head(rest: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    """Return weight and bias of the classifier; {} without one."""
    for ending in HEADS:
        for name, weight in rest.items():
            if f".{name}".endswith(f".{ending}.weight") and weight.ndim == 2 and weight.shape[1] == width:
                bias = rest.get(name.removesuffix("weight") + "bias")
                return {
                    "head.weight": weight,
                    "head.bias": weight.new_zeros(len(weight)) if bias is None else bias,
                }
    return {}


def _build(
    tensors: Mapping[str, Tensor], head: Mapping[str, Tensor], around: Mapping[str, Any]
) -> Pretrained:
    given = around.get("cfg")
    config: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    published: dict[str, Any] = {} if config else {"deep_norm": True, "max_distance": FARTHEST}
    config = {**published, **config}
    _require_plain(config)
    inside, _, across, height = tensors[PATCHES].shape
    width, depth = tensors["encoder.layer_norm.weight"].shape[0], mae.depth_of(_layers(tensors), "layers.")
    _, each, kernel = tensors[f"{CONVOLUTION}weight"].shape
    relative, gated = tensors.get(f"encoder.layers.0.{RELATIVE}"), ".grep_a" in " ".join(tensors)
    heads = relative.shape[1] if relative is not None else whole("heads", config["encoder_attention_heads"])
    deep = flag("deep_norm", config.get("deep_norm", False))
    block = BlockConfig(
        epsilon=EPSILON, norm="post", residual=(2 * depth) ** 0.25 if deep else 1.0, gated_positions=gated
    ).ratio_of(tensors["encoder.layers.0.fc1.weight"].shape[0], width)
    farthest = whole("max_distance", config.get("max_distance", 1280))
    shape = ViTConfig(
        width, depth, heads, (height, across), decoder_for(width), block, class_tokens=0, norm_pre=True,
        final_norm=False, patch_width=inside, convolution=(kernel, width // each),
        relative=None if relative is None else (len(relative), farthest),
    )  # fmt: skip
    inputs = _inputs(config)
    encoder = ViT(shape, channels=1, image_size=inputs.size)
    notes = ("BEATs, detected by its tensor names", f"windows of {FRAMES} frames assumed")
    if published:
        notes += (f"no options in the file: DeepNorm and a largest distance of {FARTHEST} assumed",)
    if not head:
        return Pretrained(encoder, inputs, notes=notes, resampling="kept")
    classes = _classes(around, len(head["head.weight"]))
    several, more = is_multi_label(len(classes))
    if "label_dict" in around and not several:
        several, more = True, ("multi-label, as BEATs' own classifiers: a sigmoid for each class",)
    model: Network = Classifier(encoder, len(classes), "mean")
    return Pretrained(model, inputs, classes, several, notes=(*notes, *more), resampling="kept")


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("encoder."): tensor for name, tensor in tensors.items()}


def _require_plain(config: Mapping[str, Any]) -> None:
    """Raise OptionError for options of BEATs' code that none of its published models has."""
    for name, known in (("layer_norm_first", False), ("activation_fn", "gelu")):
        if config.get(name, known) != known:
            raise OptionError(name, got=config[name], expected=known, do="name another model")


def _inputs(config: Mapping[str, Any]) -> InputSpec:
    """Return the inputs: Kaldi's log-mel values of samples times 2^15, without mean removal."""
    mean, std = (number(f"fbank_{n}", config.get(f"fbank_{n}", v)) for n, v in (("mean", MEAN), ("std", STD)))
    sound = SoundSpec(rate=RATE, window="povey", bins=BINS, floor=FLOOR / LOUDER**2)
    middle = mean - 2 * math.log(LOUDER)
    return InputSpec(
        1, BINS, FRAMES, (middle,), (2 * std,), scale=1.0, axes=AXES, sound=sound, whole_patches=True
    )


def _classes(around: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Return the names of the classes: BEATs' `label_dict`, ESPnet's `token_list`, or numbers."""
    found = around.get("label_dict") or around.get("token_list") or ()
    if isinstance(found, Mapping) and set(found) == set(range(count)):
        found = [found[place] for place in range(count)]
    named = isinstance(found, list | tuple) and len(found) == count
    return tuple(map(str, found)) if named else tuple(map(str, range(count)))
