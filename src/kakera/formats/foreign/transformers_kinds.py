"""Choice of the transformers model type for a kakera model, with the reason if none can express it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained, require_mae
from kakera.formats.foreign.transformers import AST, dinov2_inside
from kakera.model.classifier import Pooling
from kakera.model.configs import ViTConfig
from kakera.model.mae import MAE
from kakera.sound.spec import PRESETS


@dataclass(frozen=True)
class Kind:
    """A model type of transformers: its class without a head, and its classes with a head by pooling.

    See `kind_of`.
    """

    model_type: str
    bare: str
    heads: Mapping[Pooling, str] = field(default_factory=dict[Pooling, str])

    def architecture(self, saved: Pretrained) -> str:
        """Return the name of the class in transformers."""
        return self.heads[saved.model.pool] if saved.model.pool else self.bare


VIT = Kind("vit", "ViTModel", {"class": "ViTForImageClassification"})
DEIT = Kind(
    "deit",
    "DeiTModel",
    {"class": "DeiTForImageClassification", "distilled": "DeiTForImageClassificationWithTeacher"},
)
# The only type whose head reads the normalised mean of the patches, as in MAE's fine-tuning.
BEIT = Kind("beit", "BeitModel", {"mean": "BeitForImageClassification"})
DINOV2 = Kind("dinov2", "Dinov2Model", {"class and mean": "Dinov2ForImageClassification"})
DINOV2_REGISTERS = Kind(
    "dinov2_with_registers",
    "Dinov2WithRegistersModel",
    {"class and mean": "Dinov2WithRegistersForImageClassification"},
)
VIT_MAE = Kind("vit_mae", "ViTMAEForPreTraining")
IJEPA = Kind("ijepa", "IJepaModel", {"normed mean": "IJepaForImageClassification"})
PIXIO = Kind("pixio", "PixioModel")
SOUND = Kind(AST, "ASTModel", {"halves": "ASTForAudioClassification"})


def kind_of(saved: Pretrained) -> Kind:
    """Return the type that expresses a model completely. Raises RunError, with the reason, if none does.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> kind_of(saved).architecture(saved)
        'ViTModel'
    """
    if not saved.model.has_attention:
        _refuse("a CNN")
    kind = _likely(saved)
    shape, model = saved.encoder.config, saved.model
    _require_known_parts(shape)
    if kind is SOUND:
        _require_ast(saved)
    elif shape.step != shape.patch:
        _refuse("patches that overlap")
    if model.reconstructs:
        _require_mae(saved, require_mae(saved).model)
    if kind in (IJEPA, PIXIO):
        _require_plain(saved, kind)
    if kind in (VIT, DEIT) and shape.block.gated:
        _refuse("a gated MLP without layer scale")
    if kind is DEIT and shape.registers > 1:
        _refuse("registers without layer scale")
    if kind in (DINOV2, DINOV2_REGISTERS):
        _require_dinov2(saved)
    if kind is BEIT:
        _require_beit(saved)
    if model.pool and model.pool not in kind.heads:
        _refuse(f"a head with {model.pool} pooling on such layers and tokens")
    if model.head_epsilon is not None and kind is not SOUND:
        _refuse("a head with a norm")
    return kind


def _likely(saved: Pretrained) -> Kind:
    """Return the likely type, by features that no other type has."""
    shape, model = saved.encoder.config, saved.model
    if saved.inputs.sound is not None:
        if shape.registers != 1:
            _refuse("a model of recordings without AST's two tokens")
        return SOUND
    if model.reconstructs:
        return VIT_MAE
    if shape.class_tokens != 1:
        return PIXIO if shape.class_tokens else IJEPA
    if model.pool == "mean":
        return BEIT
    if shape.block.layer_scale or model.pool == "class and mean":
        return DINOV2_REGISTERS if shape.registers else DINOV2
    return DEIT if shape.registers else VIT


def _require_known_parts(shape: ViTConfig) -> None:
    if shape.patch_width or not (shape.has_table or shape.rotary):
        _refuse("an encoder with positions along the sequence of patches (BEATs)")
    if shape.norm_pre:
        _refuse("an encoder with a norm before its layers (CLIP)")
    if shape.block.norm == "post" or not shape.final_norm:
        _refuse("an encoder with a norm after each branch, or without a final norm (EAT)")
    if shape.rotary:
        _refuse("an encoder with rotary positions (DINOv3)")
    if shape.attention_pool:
        _refuse("an encoder with attention pooling (SigLIP)")


def _require_plain(saved: Pretrained, kind: Kind) -> None:
    shape = saved.encoder.config
    tokens = "several class tokens" if shape.class_tokens else "no class token"
    if shape.registers or shape.block.layer_scale or shape.block.gated:
        _refuse(f"an encoder with {tokens} and with registers, layer scale or a gated MLP")
    if kind is PIXIO:
        _require_square(saved)
        if dinov2_ratio(saved) is None:
            _refuse(f"an MLP ratio of {shape.block.ratio:g}, which Pixio cannot express")


def _require_mae(saved: Pretrained, model: MAE) -> None:
    shape, size, decoder = saved.encoder.config, saved.encoder.size, model.decoder.config
    if shape.registers or shape.block.layer_scale or shape.block.gated:
        _refuse("an autoencoder with registers, layer scale or a gated MLP")
    if model.hog_target:
        _refuse("a decoder that predicts gradients beside pixels")
    if model.global_head is not None:
        _refuse("an autoencoder that also predicts the whole picture (--global-target)")
    if decoder.cross:
        _refuse("a decoder with cross-attention only")
    if shape.patch[0] != shape.patch[1] or size[0] != size[1]:
        _refuse("an autoencoder whose pictures or patches are not square")
    if decoder.block.ratio_of(1, 1) != shape.block.ratio_of(1, 1):
        _refuse("a decoder whose blocks differ from the encoder's")


def dinov2_ratio(saved: Pretrained) -> int | None:
    """Return the whole `mlp_ratio` of DINOv2 for the width of the MLPs, or None if no ratio matches.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> dinov2_ratio(saved)
        4
    """
    shape = saved.encoder.config
    inside, gated = round(shape.width * shape.block.ratio), shape.block.gated
    ratios = (ratio for ratio in range(1, 17) if dinov2_inside(shape.width, ratio, gated=gated) == inside)
    return next(ratios, None)


def _require_dinov2(saved: Pretrained) -> None:
    _require_square(saved)
    if dinov2_ratio(saved) is None:
        _refuse(f"an MLP ratio of {saved.encoder.config.block.ratio:g}, which DINOv2 cannot express")


def _require_beit(saved: Pretrained) -> None:
    _require_square(saved)
    shape = saved.encoder.config
    if shape.registers:
        _refuse("a classifier with mean pooling and registers")
    if shape.block.gated or not shape.block.qkv_bias:
        _refuse("a classifier with mean pooling, and with a gated MLP or without query biases")


def _require_square(saved: Pretrained) -> None:
    height, width = saved.encoder.size
    if height != width:
        _refuse(f"pictures of {height} × {width} (DINOv2, BEiT and Pixio need square pictures)")


def _require_ast(saved: Pretrained) -> None:
    model, inputs, shape = saved.model, saved.inputs, saved.encoder.config
    if model.reconstructs:
        _refuse("an autoencoder of recordings")
    if shape.block.layer_scale or shape.block.gated:
        _refuse("a model of recordings with layer scale or a gated MLP")
    if inputs.sound != replace(PRESETS["ast"], bins=inputs.height):
        _refuse("a front end that differs from AST's")
    if inputs.blank is None:
        _refuse("a model of recordings that does not attend to padding")
    if model.classifies and (model.pool != "halves" or model.head_epsilon != shape.block.epsilon):
        _refuse("a head that differs from AST's, or a head norm with another epsilon than the layers")
    if shape.patch[0] != shape.patch[1]:
        _refuse("patches that are not square")


def _refuse(got: str) -> NoReturn:
    raise RunError(
        "transformers",
        got=got,
        expected="a model that one of its Vision Transformers can express",
        do="choose another model or another format",
    )
