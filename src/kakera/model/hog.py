"""Histograms of oriented gradients, a prediction target that describes edges and their directions.

MaskFeat predicts histograms of oriented gradients (Dalal and Triggs 2005) instead of pixels (Wei et al. 2022,
Sec. 3). They describe shape and leave out brightness.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

ORIENTATIONS = 9  # bins over half a turn: an edge has no sign
LONGEST = 8  # pixels: the longest side of a cell, as in MaskFeat
FLAT = 0.1  # standard deviations of the input: cells with weaker gradients count as flat


def cells(patch: tuple[int, int]) -> tuple[int, int]:
    """Return the number of cells (down, across) of a patch.

    The number is as small as possible; the sides of a cell are at most LONGEST pixels.

    Example:

        >>> cells((16, 4))
        (2, 1)
    """
    down, across = (
        next(n for n in range(1, side + 1) if side % n == 0 and side // n <= LONGEST) for side in patch
    )
    return down, across


def feature_size(patch: tuple[int, int], channels: int) -> int:
    """Return how many numbers `oriented_gradients` gives for one patch.

    Example:

        >>> feature_size((16, 16), channels=1)
        36
    """
    down, across = cells(patch)
    return down * across * channels * ORIENTATIONS


def oriented_gradients(pictures: Float[Tensor, "b c H W"], patch: tuple[int, int]) -> Float[Tensor, "b n p"]:
    """Return the gradient histograms of each patch (b, n, p): nine orientations for each cell and channel.

    `pictures` (b, c, H, W) are in the model's units, `patch` is (height, width) in pixels. Each pixel votes
    for the two nearest orientations with the length of its gradient (differences of its neighbours, 0 across
    the edge). The histogram of a cell is divided by its norm, so that its mean square is at most 1.

    Example:

        >>> oriented_gradients(torch.zeros(1, 1, 8, 8), (4, 4)).shape
        torch.Size([1, 4, 9])
    """
    field = functional.pad(pictures, (1, 1, 1, 1), mode="reflect")
    right = field[..., 1:-1, 2:] - field[..., 1:-1, :-2]
    down = field[..., 2:, 1:-1] - field[..., :-2, 1:-1]
    length = torch.hypot(right, down)
    place = (torch.atan2(down, right) * (ORIENTATIONS / math.pi)).remainder(ORIENTATIONS)
    first = place.floor().clamp(max=ORIENTATIONS - 1)  # rounding may return ORIENTATIONS itself
    for_second = (place - first) * length
    low = rearrange(first.long(), "b c H W -> b c 1 H W")
    votes = length.new_zeros(*pictures.shape[:2], ORIENTATIONS, *pictures.shape[2:])
    for bins, vote in ((low, length - for_second), ((low + 1) % ORIENTATIONS, for_second)):
        votes.scatter_(2, bins, rearrange(vote, "b c H W -> b c 1 H W"))
    cut_down, cut_across = cells(patch)
    means = functional.avg_pool2d(votes.flatten(0, 1), (patch[0] // cut_down, patch[1] // cut_across))
    histograms = rearrange(
        means,
        "(b c) o (rows i) (cols j) -> b (rows cols) (i j) c o",
        b=len(pictures),
        i=cut_down,
        j=cut_across,
    )
    length = (histograms.square().sum(dim=-1, keepdim=True) + FLAT**2).sqrt()
    return rearrange(histograms / length * ORIENTATIONS**0.5, "b n cell c o -> b n (cell c o)")
