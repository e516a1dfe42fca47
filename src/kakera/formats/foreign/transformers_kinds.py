"""Which model of transformers says what a model of ours does, and why none can where none can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.foreign.transformers import AST, dinov2_inside
from kakera.model.classifier import Pooling
from kakera.model.mae import MAE
from kakera.sound.spec import PRESETS


@dataclass(frozen=True)
class Kind:
    """A type of theirs: its class without a head, and with one by what the head reads."""

    model_type: str
    bare: str
    heads: Mapping[Pooling, str] = field(default_factory=dict[Pooling, str])

    def architecture(self, saved: Pretrained) -> str:
        """The name of its class."""
        return self.heads[saved.model.pool] if saved.model.pool else self.bare


VIT = Kind("vit", "ViTModel", {"class": "ViTForImageClassification"})
DEIT = Kind(
    "deit",
    "DeiTModel",
    {"class": "DeiTForImageClassification", "distilled": "DeiTForImageClassificationWithTeacher"},
)
# The one whose head reads the mean of the patches, through a norm: MAE's fine-tuning.
BEIT = Kind("beit", "BeitModel", {"mean": "BeitForImageClassification"})
DINOV2 = Kind("dinov2", "Dinov2Model", {"class and mean": "Dinov2ForImageClassification"})
DINOV2_REGISTERS = Kind(
    "dinov2_with_registers",
    "Dinov2WithRegistersModel",
    {"class and mean": "Dinov2WithRegistersForImageClassification"},
)
VIT_MAE = Kind("vit_mae", "ViTMAEForPreTraining")
SOUND = Kind(AST, "ASTModel", {"halves": "ASTForAudioClassification"})


def kind_of(saved: Pretrained) -> Kind:
    """What can say all of a model. Raises RunError, with the reason, where nothing can."""
    if not saved.model.has_attention:
        _refuse("a CNN")
    kind = _likely(saved)
    shape, model = saved.encoder.config, saved.model
    if kind is SOUND:
        _require_ast(saved)
    elif shape.step != shape.patch:
        _refuse("patches that overlap")
    if model.reconstructs:
        _require_mae(saved, require_mae(saved).model)
    if kind in (VIT, DEIT) and shape.block.gated:
        _refuse("an MLP with a gate, but no layer scale")
    if kind is DEIT and shape.registers > 1:
        _refuse("registers without layer scale")
    if kind in (DINOV2, DINOV2_REGISTERS):
        _require_dinov2(saved)
    if kind is BEIT:
        _require_beit(saved)
    if model.pool and model.pool not in kind.heads:
        _refuse(f"a head that reads {model.pool} beside such layers and tokens")
    if model.head_epsilon is not None and kind is not SOUND:
        _refuse("a head with a norm")
    return kind


def _likely(saved: Pretrained) -> Kind:
    """By what no other has."""
    shape, model = saved.encoder.config, saved.model
    if saved.inputs.sound is not None:
        if shape.registers != 1:
            _refuse("recordings without AST's two tokens")
        return SOUND
    if model.reconstructs:
        return VIT_MAE
    if model.pool == "mean":
        return BEIT
    if shape.block.layer_scale or model.pool == "class and mean":
        return DINOV2_REGISTERS if shape.registers else DINOV2
    return DEIT if shape.registers else VIT


def _require_mae(saved: Pretrained, model: MAE) -> None:
    shape, size, decoder = saved.encoder.config, saved.encoder.size, model.decoder.config
    if shape.registers or shape.block.layer_scale or shape.block.gated:
        _refuse("an autoencoder with registers, layer scale or a gate")
    if model.hog_target:
        _refuse("a decoder that predicts gradients beside pixels")
    if decoder.cross:
        _refuse("a decoder that asks the encoder's tokens alone")
    if shape.patch[0] != shape.patch[1] or size[0] != size[1]:
        _refuse("an autoencoder of pictures or patches that are not square")
    if decoder.block.ratio_of(1, 1) != shape.block.ratio_of(1, 1):
        _refuse("a decoder whose layers are of another kind than the encoder's")


def dinov2_ratio(saved: Pretrained) -> int | None:
    """The whole number that says the width of the MLPs there; None where none does."""
    shape = saved.encoder.config
    inside, gated = round(shape.width * shape.block.ratio), shape.block.gated
    found = (ratio for ratio in range(1, 17) if dinov2_inside(shape.width, ratio, gated=gated) == inside)
    return next(found, None)


def _require_dinov2(saved: Pretrained) -> None:
    _require_square(saved)
    if dinov2_ratio(saved) is None:
        _refuse(f"an MLP {saved.encoder.config.block.ratio:g} times as wide, which DINOv2 has no number for")


def _require_beit(saved: Pretrained) -> None:
    _require_square(saved)
    shape = saved.encoder.config
    if shape.registers:
        _refuse("a classifier of the mean of the patches beside registers")
    if shape.block.gated or not shape.block.qkv_bias:
        _refuse("a classifier of the mean of the patches, with a gate or without biases of queries")


def _require_square(saved: Pretrained) -> None:
    height, width = saved.encoder.size
    if height != width:
        _refuse(f"pictures of {height} × {width}, where DINOv2 and BEiT have square ones")


def _require_ast(saved: Pretrained) -> None:
    model, inputs, shape = saved.model, saved.inputs, saved.encoder.config
    if model.reconstructs:
        _refuse("an autoencoder of recordings")
    if shape.block.layer_scale or shape.block.gated:
        _refuse("recordings, with layer scale or a gate")
    if inputs.sound != replace(PRESETS["ast"], bins=inputs.height):
        _refuse("another front end than AST's")
    if inputs.blank is None:
        _refuse("recordings whose padding is not looked at")
    if model.classifies and (model.pool != "halves" or model.head_epsilon != shape.block.epsilon):
        _refuse("a head that is not AST's, or whose norm has another epsilon than its layers")
    if shape.patch[0] != shape.patch[1]:
        _refuse("patches that are not square")


def _refuse(got: str) -> NoReturn:
    raise RunError(
        "transformers",
        got=got,
        expected="what one of its Vision Transformers can say",
        do="choose another model or another format",
    )
