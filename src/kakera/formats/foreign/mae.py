"""Reading and writing of `.pth` files of the MAE paper's code (He et al. 2022), pretrained or fine-tuned.

These files do not contain the number of heads. It follows from the width in the paper's sizes; files written
by kakera contain it.
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
from kakera.formats.classes import describe_thresholds
from kakera.formats.description import inputs_of, thresholds_of
from kakera.formats.fields import flag, mapping, whole, words
from kakera.formats.names import CONVOLUTION, ROW, ROWS, Row, with_prefix
from kakera.formats.old_names import current
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import PLAIN, SIZES, DecoderConfig, ViTConfig, decoder_for
from kakera.model.mae import MAE
from kakera.model.network import Network
from kakera.model.positions import sincos
from kakera.model.vit import ViT

# ImageNet's mean and standard deviation for pixels from 0 to 1, which the models were trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HEAD_WIDTH = 32  # width of a head in the paper's decoder: 512 in 16 heads
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
    *with_prefix("layers.{}.", "blocks.{}.", LAYER),
)
DECODER = (
    Row("embed.*", "decoder_embed.*"),
    Row("mask_token", "mask_token", ROW),
    Row("positions", "decoder_pos_embed", ROWS),
    *with_prefix("layers.{}.", "decoder_blocks.{}.", LAYER),
    Row("norm.*", "decoder_norm.*"),
    Row("predict.*", "decoder_pred.*"),
)


def table(ours: str = "encoder.", *, norm: str = "norm") -> tuple[Row, ...]:
    """Return all rows; `ours` is the prefix of the encoder's names in kakera.

    `norm` is the name of the final norm: `fc_norm` in a classifier that averages patches.

    Example:

        >>> table()[0].ours, table()[0].theirs
        ('encoder.class_token', ('cls_token',))
    """
    encoder = (*ENCODER, Row("norm.*", f"{norm}.*"))
    return (*with_prefix(ours, "", encoder), *with_prefix("decoder.", "", DECODER), Row("head.*", "head.*"))


def detect(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Return the reason why a file is from MAE's code and not from timm, which uses the same names.

    `content` is the content of the file around its tensors. Return "" if nothing indicates MAE. DeiT's code
    wraps its weights like MAE's code and has a head on the class token. MAE's code can have such a head too:
    then the stored options name a model that is not a DeiT.

    Example:

        >>> detect({}, {"decoder_embed.weight": torch.zeros(32, 64)})
        'detected by its decoder'
    """
    if "kakera" in content:
        return "written by kakera"
    if "decoder_embed.weight" in tensors:
        return "detected by its decoder"
    if any(name in tensors for name in ("reg_token", "dist_token", "head_dist.weight", "blocks.0.ls1.gamma")):
        return ""
    positions = tensors.get("pos_embed")
    if positions is not None and positions.ndim == 3 and positions.shape[2] % 4 == 0:
        side = round((positions.shape[1] - 1) ** 0.5)
        if side > 1 and side**2 == positions.shape[1] - 1:
            fixed = sincos(Grid(side, side), positions.shape[2]).to(positions.dtype)
            if torch.allclose(positions[0], fixed, atol=1e-3):
                return "detected by its sine and cosine position embeddings"
    if not isinstance(content.get("model"), Mapping):
        return ""
    if "fc_norm.weight" not in tensors and "head.weight" in tensors:
        trained = str(getattr(content.get("args"), "model", "deit"))
        return "" if "deit" in trained else "detected by the options beside its weights"
    return "detected by the dictionary around its weights"


def read(path: Path, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Pretrained:
    """Build the model of a `.pth` file with this content and these tensors. Raises RunError.

    Example:

        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> content = torch.load(io.BytesIO(write(saved)))
        >>> read(Path("model.pth"), content, content["model"]).inputs.size
        (8, 8)
    """
    why, expected = detect(content, tensors), "weights named as those of the MAE paper's code"
    with without_memory(str(path), expected=expected, do="name another file"):
        own = mapping("kakera", current(content.get("kakera", {})))
        saved = _build(tensors, own, path.name, why)
    rows = _rows(saved)
    mapped = names.read(tensors, rows, source=str(path), axes=_axes(saved))
    names.fill(saved.model, mapped, rows, source=str(path))
    saved.model.eval()
    return saved


def write(saved: Pretrained) -> bytes:
    """Return the bytes of a `.pth` file in MAE's layout.

    The key "kakera" contains the heads, inputs and classes, which MAE's layout does not have. Raises RunError
    for a model that MAE's code cannot express.

    Example:

        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> content = torch.load(io.BytesIO(write(saved)))
        >>> content["model"]["pos_embed"].shape
        torch.Size([1, 5, 64])
    """
    _require_expressible(saved)
    tensors = names.write(saved.model.state_dict(), _rows(saved), source="mae", axes=_axes(saved))
    shape, model = saved.encoder.config, saved.model
    own: dict[str, Any] = {"heads": shape.heads, "inputs": saved.inputs.to_json()}
    own |= {"license": saved.license} if saved.license else {}
    own |= {"classes": list(saved.classes), "multi_label": saved.multi_label}
    own |= describe_thresholds(saved.thresholds)
    if model.reconstructs:
        model = require_mae(saved).model
        own |= {"decoder_heads": model.decoder.config.heads, "norm_pix_loss": model.norm_pix_loss}
    file = io.BytesIO()
    torch.save({"model": tensors, "kakera": own}, file)
    return file.getvalue()


def _as_in_the_paper(inputs: InputSpec) -> InputSpec:
    """Return inputs with the paper's evaluation crop: 224 of 256 for up to 224 pixels, else everything."""
    sides = tuple(side * 256 // 224 if side <= 224 else side for side in inputs.size)
    return replace(inputs, resize=sides[:1] if sides[0] == sides[1] else (), crop_offset="even")


def _build(tensors: Mapping[str, Tensor], own: Mapping[str, Any], name: str, why: str) -> Pretrained:
    width, channels, *patch = tensors["patch_embed.proj.weight"].shape
    count = tensors["pos_embed"].shape[1] - 1
    notes = [f"a file of MAE's code, {why}", LICENCE]
    (license,) = words("license", [own.get("license", "")])
    if "inputs" in own:
        inputs = inputs_of(own["inputs"])
        notes = ["a file in MAE's layout, written by kakera"]
    else:
        side = round(count**0.5)
        mean, std = (MEAN, STD) if channels == 3 else ((0.5,) * channels, (0.5,) * channels)
        inputs = InputSpec(channels, side * patch[0], side * patch[1], mean, std)
        inputs = _as_in_the_paper(inputs)
        notes.append(f"square pictures, mean {mean} and standard deviation {std} assumed")
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
        # The released models for visualisation were trained on plain pixels; their names contain this word.
        normalised = flag("norm_pix_loss", own.get("norm_pix_loss", "visualize" not in name))
        notes += (
            []
            if "norm_pix_loss" in own
            else [f"{'normalised' if normalised else 'plain'} pixels as target assumed"]
        )
        model = MAE(encoder, decoder, norm_pix_loss=normalised)
    elif "head.weight" in tensors:
        numbers = map(str, range(len(tensors["head.weight"])))
        classes = words("classes", own.get("classes")) if own.get("classes") else tuple(numbers)
        model = Classifier(encoder, len(classes), "mean" if "fc_norm.weight" in tensors else "class")
    several, thresholds = flag("multi_label", own.get("multi_label", False)), thresholds_of(own)
    saved = Pretrained(model, inputs, classes, several, tuple(notes), thresholds=thresholds)
    return replace(saved, license=license)


def _rows(saved: Pretrained) -> tuple[Row, ...]:
    return table(saved.model.prefix, norm="fc_norm" if saved.model.pool == "mean" else "norm")


def _axes(saved: Pretrained) -> dict[str, int]:
    patch = saved.encoder.config.patch
    return {"ph": patch[0], "pw": patch[1], "c": saved.inputs.channels}


def depth_of(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Return the number of layers, from the tensor names. Raises OptionError for more layers than tensors.

    Example:

        >>> tensors = {f"blocks.{number}.norm1.bias": torch.zeros(64) for number in range(3)}
        >>> depth_of(tensors, "blocks.")
        3
    """
    return require_layers(
        1 + max(int(name.split(".")[1]) for name in tensors if name.startswith(prefix)), tensors
    )


def _heads(own: Mapping[str, Any], width: int) -> int:
    """Return the number of heads. Raises OptionError if neither the file nor the paper's sizes tell it."""
    known = {shape.width: shape.heads for shape in SIZES.values() if shape.patch != (4, 4)}
    if "heads" not in own and width not in known:
        widths = ", ".join(map(str, known))
        raise OptionError("width", got=width, expected=widths, do="use a file of one of these sizes")
    return whole("heads", own["heads"]) if "heads" in own else known[width]


def _require_expressible(saved: Pretrained) -> None:
    if not saved.model.has_attention:
        _refuse("a CNN")
    shape = saved.encoder.config
    if shape.patch_width or not (shape.has_table or shape.rotary):
        _refuse("positions along the sequence of patches (BEATs)")
    if shape.class_tokens != 1 or shape.norm_pre or shape.attention_pool or shape.rotary:
        got = "rotary positions, attention pooling, a norm before the layers, or not exactly one class token"
        _refuse(got)
    if not shape.final_norm:
        _refuse("an encoder without a final norm (EAT)")
    if saved.encoder.config.registers or saved.encoder.config.block != PLAIN:
        _refuse("other blocks than the paper's, or registers")
    if saved.model.reconstructs:
        model = require_mae(saved).model
        shape = model.decoder.config
        if model.hog_target or shape.cross or shape.block != PLAIN:
            _refuse("a decoder that predicts gradients or differs from the paper's")
        if model.global_head is not None:
            _refuse("an autoencoder that also predicts the whole picture (--global-target)")


def _refuse(got: str) -> NoReturn:
    raise RunError(
        "mae", got=got, expected="a model that MAE's code can express", do="choose another model or format"
    )
