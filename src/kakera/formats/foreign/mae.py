"""The files of the MAE paper's own code: `.pth`, pretrained (with its decoder or not) or fine-tuned.

They hold no number of heads: it follows from the width in the paper's sizes, and kakera's own files say it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from kakera.errors import OptionError, RunError
from kakera.formats import names
from kakera.formats.build import require_layers, without_memory
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.description import inputs_of
from kakera.formats.fields import flag, mapping, whole, words
from kakera.formats.names import CONVOLUTION, ROW, ROWS, Row, below
from kakera.formats.old_names import current
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import PLAIN, SIZES, DecoderConfig, ViTConfig, decoder_for
from kakera.model.mae import MAE
from kakera.model.network import Network
from kakera.model.positions import sincos
from kakera.model.vit import ViT

# Of pictures 0 … 1: what the models were trained with (ImageNet).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HEAD_WIDTH = 32  # of the paper's decoder: 512 in 16 heads
LICENCE = "the weights released with the MAE paper are under CC-BY-NC 4.0"

LAYER = (
    Row("norm1.*", "norm1.*"),
    Row("norm2.*", "norm2.*"),
    Row("attention.qkv.*", "attn.qkv.*"),
    Row("attention.out.*", "attn.proj.*"),
    Row("mlp.up.*", "mlp.fc1.*"),
    Row("mlp.down.*", "mlp.fc2.*"),
)
ENCODER = (
    Row("class_token", "cls_token", ROW),
    Row("positions", "pos_embed", ROWS),
    Row("patches.project.weight", "patch_embed.proj.weight", CONVOLUTION),
    Row("patches.project.bias", "patch_embed.proj.bias"),
    *below("layers.{}.", "blocks.{}.", LAYER),
)
DECODER = (
    Row("embed.*", "decoder_embed.*"),
    Row("mask_token", "mask_token", ROW),
    Row("positions", "decoder_pos_embed", ROWS),
    *below("layers.{}.", "decoder_blocks.{}.", LAYER),
    Row("norm.*", "decoder_norm.*"),
    Row("predict.*", "decoder_pred.*"),
)


def table(ours: str = "encoder.", *, norm: str = "norm") -> tuple[Row, ...]:
    """All rows; a classifier of the mean calls its norm `fc_norm`."""
    encoder = (*ENCODER, Row("norm.*", f"{norm}.*"))
    return (*below(ours, "", encoder), *below("decoder.", "", DECODER), Row("head.*", "head.*"))


def detect(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Why a file is taken for one of MAE's code and not of timm's, whose names are the same.

    `content` is what the file holds around its tensors. "" where nothing says so: DeiT's code wraps its
    weights as MAE's does, and has a head on the class token, which MAE's own has only where options beside
    it name no DeiT.
    """
    if "kakera" in content:
        return "written by kakera"
    if "decoder_embed.weight" in tensors:
        return "by its decoder"
    if any(name in tensors for name in ("reg_token", "dist_token", "head_dist.weight", "blocks.0.ls1.gamma")):
        return ""
    positions = tensors.get("pos_embed")
    if positions is not None and positions.ndim == 3 and positions.shape[2] % 4 == 0:
        side = round((positions.shape[1] - 1) ** 0.5)
        if side > 1 and side**2 == positions.shape[1] - 1:
            fixed = sincos(Grid(side, side), positions.shape[2]).to(positions.dtype)
            if torch.allclose(positions[0], fixed, atol=1e-3):
                return "by its sine and cosine positions"
    if not isinstance(content.get("model"), Mapping):
        return ""
    if "fc_norm.weight" not in tensors and "head.weight" in tensors:
        trained = str(getattr(content.get("args"), "model", "deit"))
        return "" if "deit" in trained else "by the options beside its weights"
    return "by the wrapper around its weights"


def read(path: Path, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Pretrained:
    """The model of a `.pth` file that holds `content`, its weights among it. Raises RunError."""
    why, expected = detect(content, tensors), "weights named as those of the MAE paper's code"
    with without_memory(str(path), expected=expected, do="name another file"):
        own = mapping("kakera", current(content.get("kakera", {})))
        saved = _build(tensors, own, path.name, why)
    rows = _rows(saved)
    found = names.read(tensors, rows, source=str(path), axes=_axes(saved))
    names.fill(saved.model, found, rows, source=str(path))
    saved.model.eval()
    return saved


def write(saved: Pretrained) -> bytes:
    """The content of a `.pth` file, with what it does not say under a key of our own. Raises RunError."""
    _require_expressible(saved)
    tensors = names.write(saved.model.state_dict(), _rows(saved), source="mae", axes=_axes(saved))
    shape, model = saved.encoder.config, saved.model
    own: dict[str, Any] = {"heads": shape.heads, "inputs": saved.inputs.to_json()}
    own |= {"classes": list(saved.classes), "multi_label": saved.multi_label}
    if model.reconstructs:
        model = require_mae(saved).model
        own |= {"decoder_heads": model.decoder.config.heads, "norm_pix_loss": model.norm_pix_loss}
    file = io.BytesIO()
    torch.save({"model": tensors, "kakera": own}, file)
    return file.getvalue()


def _as_in_the_paper(inputs: InputSpec) -> InputSpec:
    """Of pictures up to 224 the crop of 224 out of 256 that the paper evaluates with, else all."""
    sides = tuple(side * 256 // 224 if side <= 224 else side for side in inputs.size)
    return replace(inputs, resize=sides[:1] if sides[0] == sides[1] else (), crop_offset="even")


def _build(tensors: Mapping[str, Tensor], own: Mapping[str, Any], name: str, why: str) -> Pretrained:
    width, channels, *patch = tensors["patch_embed.proj.weight"].shape
    count = tensors["pos_embed"].shape[1] - 1
    notes = [f"MAE's own code, {why}", LICENCE]
    if "inputs" in own:
        inputs = inputs_of(own["inputs"])
        notes = ["MAE's layout, written by kakera"]
    else:
        side = round(count**0.5)
        mean, std = (MEAN, STD) if channels == 3 else ((0.5,) * channels, (0.5,) * channels)
        inputs = InputSpec(channels, side * patch[0], side * patch[1], mean, std)
        inputs = _as_in_the_paper(inputs)
        notes.append(f"square pictures assumed, with a mean of {mean} and a deviation of {std}")
    Grid.cover(inputs.size, (patch[0], patch[1]))
    shape = ViTConfig(
        width, depth_of(tensors, "blocks."), _heads(own, width), (patch[0], patch[1]), decoder_for(width)
    )
    encoder = ViT(shape, channels=channels, image_size=inputs.size)
    model: Network = encoder
    classes: tuple[str, ...] = ()
    if "decoder_embed.weight" in tensors:
        inside = tensors["decoder_embed.weight"].shape[0]
        heads = whole("decoder_heads", own.get("decoder_heads", max(1, inside // HEAD_WIDTH)))
        decoder = DecoderConfig(inside, depth_of(tensors, "decoder_blocks."), heads)
        # The released models that draw well were trained on plain pixels, and say so in their names.
        normalised = flag("norm_pix_loss", own.get("norm_pix_loss", "visualize" not in name))
        notes += (
            [] if "norm_pix_loss" in own else [f"{'normalised' if normalised else 'plain'} pixels assumed"]
        )
        model = MAE(encoder, decoder, norm_pix_loss=normalised)
    elif "head.weight" in tensors:
        numbers = map(str, range(len(tensors["head.weight"])))
        classes = words("classes", own.get("classes")) if own.get("classes") else tuple(numbers)
        model = Classifier(encoder, len(classes), "mean" if "fc_norm.weight" in tensors else "class")
    return Pretrained(
        model, inputs, classes, flag("multi_label", own.get("multi_label", False)), tuple(notes)
    )


def _rows(saved: Pretrained) -> tuple[Row, ...]:
    return table(saved.model.prefix, norm="fc_norm" if saved.model.pool == "mean" else "norm")


def _axes(saved: Pretrained) -> dict[str, int]:
    patch = saved.encoder.config.patch
    return {"ph": patch[0], "pw": patch[1], "c": saved.inputs.channels}


def depth_of(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """How many layers there are, by their numbers. Raises OptionError for more than there are tensors."""
    return require_layers(
        1 + max(int(name.split(".")[1]) for name in tensors if name.startswith(prefix)), tensors
    )


def _heads(own: Mapping[str, Any], width: int) -> int:
    """Raises OptionError where neither the file nor the paper's sizes say it."""
    known = {shape.width: shape.heads for shape in SIZES.values() if shape.patch != (4, 4)}
    if "heads" not in own and width not in known:
        widths = ", ".join(map(str, known))
        raise OptionError("width", got=width, expected=widths, do="take the file of a size that is known")
    return whole("heads", own["heads"]) if "heads" in own else known[width]


def _require_expressible(saved: Pretrained) -> None:
    if not saved.model.has_attention:
        _refuse("a CNN")
    if saved.encoder.config.registers or saved.encoder.config.block != PLAIN:
        _refuse("layers of another kind than the paper's, or registers")
    if saved.model.reconstructs:
        model = require_mae(saved).model
        shape = model.decoder.config
        if model.hog_target or shape.cross or shape.block != PLAIN:
            _refuse("a decoder that predicts gradients, or is not the paper's")


def _refuse(got: str) -> NoReturn:
    raise RunError("mae", got=got, expected="what MAE's code can say", do="choose another model or format")
