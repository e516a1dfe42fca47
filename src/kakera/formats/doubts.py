"""What is odd about weights that can be read all the same: said in a note that begins with "warning"."""

from __future__ import annotations

from torch import Tensor

from kakera.model.network import Network


def alike(model: Network) -> tuple[str, ...]:
    """Return a warning where all patches have the same position: then the model cannot tell places apart.

    transformers 5.24 makes such a ViTMAE from a configuration: its sine and cosine positions stay zero.
    """
    parts = model.position_embeddings()
    found = [name for name, positions in parts.items() if _same(positions.detach())]
    if not found:
        return ()
    where = " and ".join(found)
    return (f"warning: the positions of the {where} are all alike, so it cannot tell where a patch stands",)


def _same(positions: Tensor) -> bool:
    """Whether several patches have one position; row 0 is the class token's."""
    return len(positions) > 2 and bool((positions[1:] == positions[1]).all())
