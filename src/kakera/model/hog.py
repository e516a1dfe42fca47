"""Oriented gradients: where edges are and how they run, as something to predict beside pixels.

Histograms of oriented gradients (Dalal and Triggs 2005) are what MaskFeat predicts in place of pixels
(Wei et al. 2022, Sec. 3): they keep shape and leave out shade.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

ORIENTATIONS = 9  # bins over half a turn: an edge has no sign
LONGEST = 8  # pixels: of a cell, as in MaskFeat
FLAT = 0.1  # deviations of the input: cells with weaker gradients count as flat


def cells(patch: tuple[int, int]) -> tuple[int, int]:
    """(down, across): into how many cells a patch is cut, as few as are no longer than LONGEST."""
    down, across = (
        next(n for n in range(1, side + 1) if side % n == 0 and side // n <= LONGEST) for side in patch
    )
    return down, across


def feature_size(patch: tuple[int, int], channels: int) -> int:
    """How many numbers describe a patch."""
    down, across = cells(patch)
    return down * across * channels * ORIENTATIONS


def oriented_gradients(pictures: Float[Tensor, "b c H W"], patch: tuple[int, int]) -> Float[Tensor, "b n p"]:
    """Of each patch: for each cell and channel, the shares of nine orientations, of mean square at most 1.

    Each pixel votes with the length of its gradient (differences of its neighbours, 0 across the edge)
    for the two nearest orientations; a cell's histogram is divided by its norm.
    """
    field = functional.pad(pictures, (1, 1, 1, 1), mode="reflect")
    right = field[..., 1:-1, 2:] - field[..., 1:-1, :-2]
    down = field[..., 2:, 1:-1] - field[..., :-2, 1:-1]
    length = torch.hypot(right, down)
    place = (torch.atan2(down, right) * (ORIENTATIONS / math.pi)).remainder(ORIENTATIONS)
    first = place.floor().clamp(max=ORIENTATIONS - 1)  # rounding may give the end of the range itself
    for_second = (place - first) * length
    low = rearrange(first.long(), "b c H W -> b c 1 H W")
    votes = length.new_zeros(*pictures.shape[:2], ORIENTATIONS, *pictures.shape[2:])
    for bins, vote in ((low, length - for_second), ((low + 1) % ORIENTATIONS, for_second)):
        votes.scatter_(2, bins, rearrange(vote, "b c H W -> b c 1 H W"))
    cut_down, cut_across = cells(patch)
    means = functional.avg_pool2d(votes.flatten(0, 1), (patch[0] // cut_down, patch[1] // cut_across))
    found = rearrange(
        means,
        "(b c) o (rows i) (cols j) -> b (rows cols) (i j) c o",
        b=len(pictures),
        i=cut_down,
        j=cut_across,
    )
    length = (found.square().sum(dim=-1, keepdim=True) + FLAT**2).sqrt()
    return rearrange(found / length * ORIENTATIONS**0.5, "b n cell c o -> b n (cell c o)")
