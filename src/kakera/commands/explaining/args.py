"""The options of `explain_files` as keyword arguments, for editors and type checkers."""

from __future__ import annotations

from typing import Literal, TypedDict

from kakera.option_fields import Auto


class ExplainArgs(TypedDict, total=False):
    """How to look into a model."""

    layer: int
    """The layer whose class token is shown over the picture, 1 … L; -1 is the last."""
    patch_index: int | Auto
    """The patch to look from, 1 … N row by row; auto takes the one at the centre."""
    target: str
    """The class whose evidence is shown; empty takes the predicted one."""
    mask_ratio: float
    """Share of the patches that are hidden for a reconstruction."""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"]
    """Which patches are hidden; of spectrograms rows are frequencies, cols times, cross both."""
    mask: str
    """A picture of any size, white where patches are hidden, black where not, instead of drawn masks."""
    samples: int
    """Reconstructions of each picture, under different masks."""
    at: float
    """Where the window of a recording that is looked at begins, in seconds."""
    seed: int
    """Random seed of the masks."""
    cnn: str
    """A run of a ResNet to compare with; empty takes an untrained one."""
