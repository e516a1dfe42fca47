"""Reading of the original Vision Transformers in JAX, `.npz` files (Dosovitskiy et al. 2021).

Their GELU is the tanh approximation, their pixels are from −1 to 1. The weights of a linear layer have the
shape (inputs, outputs), and the heads are a separate axis.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import RunError
from kakera.formats import names, prefix_tokens
from kakera.formats.build import require_layers, without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.names import ROW, ROWS, Row, with_prefix
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, ViTConfig, decoder_for
from kakera.model.vit import ViT

HALF = 0.5  # mean and standard deviation
MAP = ("enter leave", "leave enter")
ATTENTION, MLP = "MultiHeadDotProductAttention_1/", "MlpBlock_3/"
_PARTS = ("query", "key", "value")
LAYER = (
    Row("norm1.weight", "LayerNorm_0/scale"),
    Row("norm1.bias", "LayerNorm_0/bias"),
    Row("norm2.weight", "LayerNorm_2/scale"),
    Row("norm2.bias", "LayerNorm_2/bias"),
    Row(
        "attention.qkv.weight",
        tuple(f"{ATTENTION}{part}/kernel" for part in _PARTS),
        ("enter h e", "(h e) enter"),
    ),
    Row("attention.qkv.bias", tuple(f"{ATTENTION}{part}/bias" for part in _PARTS), ("h e", "(h e)")),
    Row("attention.out.weight", f"{ATTENTION}out/kernel", ("h e leave", "leave (h e)")),
    Row("attention.out.bias", f"{ATTENTION}out/bias"),
    Row("mlp.up.weight", f"{MLP}Dense_0/kernel", MAP),
    Row("mlp.up.bias", f"{MLP}Dense_0/bias"),
    Row("mlp.down.weight", f"{MLP}Dense_1/kernel", MAP),
    Row("mlp.down.bias", f"{MLP}Dense_1/bias"),
)
ENCODER = (
    Row("class_token", "cls", ROW),
    Row("positions", "Transformer/posembed_input/pos_embedding", ROWS),
    Row("patches.project.weight", "embedding/kernel", ("ph pw c d", "d (ph pw c)")),
    Row("patches.project.bias", "embedding/bias"),
    *with_prefix("layers.{}.", "Transformer/encoderblock_{}/", LAYER),
    Row("norm.weight", "Transformer/encoder_norm/scale"),
    Row("norm.bias", "Transformer/encoder_norm/bias"),
)
HEAD = (Row("head.weight", "head/kernel", MAP), Row("head.bias", "head/bias"))
BEFORE_HEAD = ("pre_logits/kernel", "pre_logits/bias")


def table(ours: str) -> tuple[Row, ...]:
    """Return all rows; `ours` is the prefix of the encoder's names in kakera.

    Example:

        >>> table("encoder.")[0].ours, table("encoder.")[0].theirs
        ('encoder.class_token', ('cls',))
    """
    return (*with_prefix(ours, "", ENCODER), *HEAD)


def read(path: Path) -> Pretrained:
    """Read the model of an `.npz` file. Raises RunError.

    Image sizes are assumed to be square. A head behind a tanh layer is not used.

    Example:

        >>> encoder = ViT("nano", channels=1, image_size=8)
        >>> axes = {"ph": 4, "pw": 4, "c": 1, "h": 2}
        >>> arrays = names.write(encoder.state_dict(), table(""), source="jax", axes=axes)
        >>> np.savez("model.npz", **{name: array.numpy() for name, array in arrays.items()})
        >>> read(Path("model.npz")).inputs.size
        (8, 8)
    """
    tensors = _tensors(path)
    # kakera has no head behind a tanh layer, so only the encoder is read.
    beyond = (*BEFORE_HEAD, "head/kernel", "head/bias") if BEFORE_HEAD[0] in tensors else ()
    tensors = {name: tensor for name, tensor in tensors.items() if name not in beyond}
    with without_memory(str(path), expected="an original Vision Transformer", do="name another file"):
        saved = _build(tensors, headless=bool(beyond))
    ours = saved.model.prefix
    shape = saved.encoder.config
    axes = {"ph": shape.patch[0], "pw": shape.patch[1], "c": saved.inputs.channels, "h": shape.heads}
    mapped = names.read(tensors, table(ours), source=str(path), axes=axes)
    prefix_tokens.convert_tokens(mapped, ours, saved.encoder.grid.count)
    names.fill(saved.model, mapped, table(ours), source=str(path))
    return saved


def _tensors(path: Path) -> dict[str, Tensor]:
    """Read the arrays of a file without unpickling any object. Raises RunError."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: _tensor(file[name]) for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        got = (str(error).splitlines() or ["nothing"])[0]
        raise RunError(
            str(path), got=got, expected="a complete .npz file of numbers", do="copy or download it again"
        ) from error


def _tensor(array: NDArray[Any]) -> Tensor:
    """Convert an array to a tensor. NumPy has no bfloat16 and stores it as two untyped bytes ("V2")."""
    if array.dtype.kind == "V" and array.dtype.itemsize == 2 and array.dtype.names is None:
        return torch.from_numpy(np.ascontiguousarray(array).view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(np.ascontiguousarray(array))


def _build(tensors: Mapping[str, Tensor], *, headless: bool) -> Pretrained:
    *patch, channels, width = tensors["embedding/kernel"].shape
    heads = tensors[f"Transformer/encoderblock_0/{ATTENTION}query/kernel"].shape[1]
    inside = tensors[f"Transformer/encoderblock_0/{MLP}Dense_0/kernel"].shape[1]
    numbers = [int(name.split("/")[1].split("_")[1]) for name in tensors if "/encoderblock_" in name]
    depth = require_layers(1 + max(numbers), tensors)
    side = round((tensors["Transformer/posembed_input/pos_embedding"].shape[1] - 1) ** 0.5)
    inputs = InputSpec(channels, side * patch[0], side * patch[1], (HALF,) * channels, (HALF,) * channels)
    kind = BlockConfig(activation="gelu_tanh").ratio_of(inside, width)
    shape = ViTConfig(width, depth, heads, (patch[0], patch[1]), decoder_for(width), kind)
    encoder = ViT(shape, channels=channels, image_size=inputs.size, learned=True)
    notes = ("an original Vision Transformer in JAX", "square pictures with pixels from −1 to 1 assumed")
    if "head/kernel" not in tensors:
        notes += ("its head and the tanh layer before it are not used",) if headless else ()
        return Pretrained(encoder, inputs, notes=notes)
    classes = tuple(map(str, range(tensors["head/kernel"].shape[1])))
    return Pretrained(Classifier(encoder, len(classes), "class"), inputs, classes, notes=notes)
