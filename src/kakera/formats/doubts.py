"""Warnings about readable but suspicious weights: notes that start with "warning"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kakera.model.configs import ViTConfig
from kakera.model.network import Network


def position_warning(model: Network) -> tuple[str, ...]:
    """Return a warning if all patches have the same position embedding, or an empty tuple.

    transformers 5.24 makes such a ViTMAE from a configuration: its sine and cosine positions stay zero.

    Example:

        >>> from kakera.model.vit import ViT
        >>> encoder = ViT("nano", channels=1, image_size=8)
        >>> _ = encoder.positions.data.zero_()
        >>> position_warning(encoder)
        ('warning: all position embeddings of the encoder are equal, so it cannot locate patches',)
    """
    parts, backbone = model.position_embeddings(), model.backbone
    count = 0 if backbone is None else backbone.grid.count
    equal = [name for name, positions in parts.items() if _same(positions.detach(), count)]
    if not equal:
        return ()
    where = " and ".join(equal)
    return (f"warning: all position embeddings of the {where} are equal, so it cannot locate patches",)


def activation_warning(
    config: ViTConfig,
    architecture: str,
    pretrained_cfg: Mapping[str, Any],
    model_args: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return a note if the GELU of timm's architecture may not be the one of the weights.

    timm has OpenAI's CLIP under an architecture with GELU and one with QuickGELU, and gives many of SigLIP's
    sizes an exact GELU, while the weights were trained with its tanh form.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> activation_warning(SIZES["base"], "vit_base_patch16_224", {}, {})
        ()
    """
    if config.block.activation != "gelu" or "act_layer" in model_args:
        return ()
    native = " ".join(map(str, pretrained_cfg.get("notes") or ()))
    openai = "openai" in f"{architecture} {pretrained_cfg.get('tag')}" or "QuickGELU" in native
    if config.norm_pre and (openai or "clip" not in architecture):
        do = 'if they are OpenAI\'s, put "act_layer": "quick_gelu" into model_args of config.json'
        certain = "trained with QuickGELU" if openai else "which may have been trained with QuickGELU"
        return (f"warning: GELU, as timm's architecture has it, for weights {certain}; {do}",)
    if config.attention_pool or "siglip" in architecture:
        return ("exact GELU, as in timm's architecture; transformers uses the tanh form for SigLIP",)
    return ()


def _same(positions: Tensor, count: int) -> bool:
    """Return True if all patches have the same position embedding, `count` rows at the end of the table."""
    rows = positions[len(positions) - count :]
    return count > 1 and bool((rows == rows[0]).all())
