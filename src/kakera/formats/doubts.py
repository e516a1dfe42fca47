"""Warnings about readable but suspicious weights: notes that start with "warning"."""

from __future__ import annotations

from torch import Tensor

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
    parts = model.position_embeddings()
    equal = [name for name, positions in parts.items() if _same(positions.detach())]
    if not equal:
        return ()
    where = " and ".join(equal)
    return (f"warning: all position embeddings of the {where} are equal, so it cannot locate patches",)


def _same(positions: Tensor) -> bool:
    """Return True if all patches have the same position embedding; row 0 belongs to the class token."""
    return len(positions) > 2 and bool((positions[1:] == positions[1]).all())
