"""The options of `kakera explain`; this module must not import torch, so that `--help` is fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kakera.option_fields import Auto, within


@dataclass(frozen=True)
class ExplainOptions:
    """Options of the figures.

    Example:

        >>> ExplainOptions(layer=2).mask_ratio
        0.75
    """

    out: str = "explained"
    """Folder for the page, the figures and the numbers."""
    layer: int = -1
    """Layer whose class-token attention is shown over the picture, 1 … L; -1 is the last layer."""
    patch_index: int | Auto = within("auto", 1)
    """Patch to compare with the others, 1 … N, row by row; auto: the patch at the centre."""
    target: str = ""
    """Class whose relevance map is shown; empty: the predicted class."""
    mask_ratio: float = within(0.75, 0.0, 0.999)
    """Share of the patches to hide for a reconstruction."""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"] = "random"
    """Pattern of the hidden patches; in spectrograms rows hides frequencies, cols times, cross both."""
    mask: str = ""
    """Picture file to use as the mask, of any size: white patches are hidden; empty: random masks."""
    samples: int = within(3, 1)
    """Number of reconstructions of each picture, each with another mask."""
    at: float = within(0.0, 0.0, 1e9)
    """Start of the shown window of a recording, in seconds."""
    seed: int = 0
    """Random seed of the masks."""
    cnn: str = ""
    """Run folder of a ResNet to compare with; empty: an untrained ResNet."""
