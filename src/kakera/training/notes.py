"""Notes about weights of other libraries, printed on one line."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

from kakera.formats.bundle import Pretrained
from kakera.progress import is_follower


def noted(saved: Pretrained, source: str | Path) -> Pretrained:
    """Print the notes of a model to stderr and return the model.

    The notes of a source are printed once per process, warnings first. With several processes only the main
    process prints.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> saved = Pretrained(encoder, InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> noted(saved, "runs/flowers") is saved  # prints nothing: there are no notes
        True
    """
    if saved.notes and not is_follower():
        _print(str(source), saved.notes)
    return saved


@lru_cache(maxsize=64)
def _print(source: str, notes: tuple[str, ...]) -> None:
    ordered = sorted(notes, key=lambda note: not note.startswith("warning"))
    print(f"kakera: {source}: {'; '.join(ordered)}", file=sys.stderr, flush=True)
