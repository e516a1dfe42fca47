"""The options of `explain_files` as keyword arguments, for editors and type checkers."""

from __future__ import annotations

from typing import Literal, TypedDict

from kakera.option_fields import Auto


class ExplainArgs(TypedDict, total=False):
    """The options of `explain_files`.

    Example:

        >>> options: ExplainArgs = {"layer": 2, "mask_ratio": 0.5}
        >>> options["layer"]
        2
    """

    layer: int
    """Layer whose class-token attention is shown over the picture, 1 … L; -1 is the last layer."""
    patch_index: int | Auto
    """Patch to compare with the others, 1 … N, row by row; auto: the patch at the centre."""
    target: str
    """Class whose relevance map is shown; empty: the predicted class."""
    mask_ratio: float
    """Share of the patches to hide for a reconstruction."""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"]
    """Pattern of the hidden patches; in spectrograms rows hides frequencies, cols times, cross both."""
    mask: str
    """Picture file to use as the mask, of any size: white patches are hidden; empty: random masks."""
    samples: int
    """Number of reconstructions of each picture, each with another mask."""
    at: float
    """Start of the shown window of a recording, in seconds."""
    seed: int
    """Random seed of the masks."""
    cnn: str
    """Run folder of a ResNet to compare with; empty: an untrained ResNet."""
