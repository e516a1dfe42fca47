"""What `kakera explain` is asked for. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kakera.option_fields import Auto, within


@dataclass(frozen=True)
class ExplainOptions:
    """How to look into a model."""

    out: str = "explained"
    """The folder for the page, the pictures and the numbers."""
    layer: int = -1
    """The layer whose class token is shown over the picture, 1 … L; -1 is the last."""
    patch_index: int | Auto = within("auto", 1)
    """The patch to look from, 1 … N row by row; auto takes the one at the centre."""
    target: str = ""
    """The class whose evidence is shown; empty takes the predicted one."""
    mask_ratio: float = within(0.75, 0.0, 0.999)
    """Share of the patches that are hidden for a reconstruction."""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"] = "random"
    """Which patches are hidden; of spectrograms rows are frequencies, cols times, cross both."""
    mask: str = ""
    """A picture of any size, white where patches are hidden, black where not, instead of drawn masks."""
    samples: int = within(3, 1)
    """Reconstructions of each picture, under different masks."""
    at: float = within(0.0, 0.0, 1e9)
    """Where the window of a recording that is looked at begins, in seconds."""
    seed: int = 0
    """Random seed of the masks."""
    cnn: str = ""
    """A run of a ResNet to compare with; empty takes an untrained one."""
