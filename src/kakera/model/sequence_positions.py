"""Positions of patches along a sequence: a convolution over the tokens, and a bias of the attention logits.

Chen et al. 2023, "BEATs", Sec. 3.3, which takes both from WavLM (Chen et al. 2022, Sec. IV-A). The sequence
goes through the grid column by column, so in a spectrogram all bands of one time come before the next time.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kakera.errors import OptionError
from kakera.grid import Grid


def sequence_places(grid: Grid) -> Int[Tensor, " n"]:
    """Return the place of each patch (n,) in the sequence of columns; patches are numbered row by row.

    Example:

        >>> sequence_places(Grid(2, 3)).tolist()
        [0, 2, 4, 1, 3, 5]
    """
    rows, cols = torch.meshgrid(torch.arange(grid.rows), torch.arange(grid.cols), indexing="ij")
    return (cols * grid.rows + rows).flatten()


def distance_buckets(distances: Int[Tensor, " n"], count: int, farthest: int) -> Int[Tensor, " n"]:
    """Return the bucket 0 … count − 1 of each signed distance (Raffel et al. 2020, "T5", Sec. 2.1).

    Half of the buckets belongs to positive distances. In each half, the first half has one distance each; the
    others grow logarithmically up to the distance `farthest`, and the last one has all larger distances.

    Example:

        >>> distance_buckets(torch.tensor([-9, -1, 0, 1, 2, 9]), 8, 16).tolist()
        [3, 1, 0, 5, 6, 7]
    """
    half = count // 2
    exact = half // 2
    far = distances.abs().clamp(min=exact).float()
    steps = torch.log(far / exact) / math.log(farthest / exact) * (half - exact)
    grown = (exact + steps.long()).clamp(max=half - 1)
    return torch.where(distances.abs() < exact, distances.abs(), grown) + half * (distances > 0)


class PositionConvolution(nn.Module):
    """A grouped convolution along the sequence of patches, with a GELU: its output is added to the tokens.

    `kernel` is its length in patches, and `groups` the number of groups of the `width` channels. A patch that
    is hidden or padding counts as zeros, like a place before the first patch. Raises OptionError if the
    groups do not divide the width.

    Example:

        >>> layer = PositionConvolution(8, kernel=4, groups=2)
        >>> layer(torch.zeros(1, 6, 8), Grid(2, 3)).shape
        torch.Size([1, 6, 8])
    """

    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        if kernel < 1 or groups < 1 or width % groups:
            got, expected = f"{groups} groups of {width} channels", "a number that divides the width"
            raise OptionError("convolution", got=got, expected=expected, do="correct it")
        self.groups = groups
        self.weight = nn.Parameter(torch.zeros(width, width // groups, kernel))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(
        self,
        z: Float[Tensor, "b k d"],
        grid: Grid,
        keep: Int[Tensor, "b k"] | None = None,
        padding: Bool[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, "b k d"]:
        """Return what is added to the tokens `z` (b, k, d) of the patches `keep` (b, k); None for all.

        Tokens with a True `padding` (b, k) count as zeros.
        """
        whole = z if padding is None else z.masked_fill(padding.unsqueeze(-1), 0.0)
        if keep is not None:
            empty = z.new_zeros(z.shape[0], grid.count, z.shape[-1])
            whole = empty.scatter(1, keep.unsqueeze(-1).expand_as(z), whole)
        columns = rearrange(whole, "b (rows cols) d -> b d (cols rows)", rows=grid.rows)
        kernel = self.weight.shape[-1]
        found = functional.conv1d(columns, self.weight, self.bias, padding=kernel // 2, groups=self.groups)
        found = functional.gelu(found[..., : grid.count])
        found = rearrange(found, "b d (cols rows) -> b (rows cols) d", rows=grid.rows)
        return found if keep is None else found.gather(1, keep.unsqueeze(-1).expand_as(z))

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw N(0, 4 / (kernel · d)) weights and zero biases."""
        width, _, kernel = self.weight.shape
        nn.init.normal_(self.weight, std=math.sqrt(4 / (kernel * width)), generator=generator)
        nn.init.zeros_(self.bias)


class RelativePositions(nn.Module):
    """The bias of attention logits for each distance along the sequence, one number for each head.

    All layers share it. `buckets` is the number of groups of distances and `farthest` the largest distance
    with an own group, see `distance_buckets`. Raises OptionError for fewer than 4 buckets, or if the
    distances do not reach beyond those with a bucket of their own.

    Example:

        >>> layer = RelativePositions(3, buckets=8, farthest=16)
        >>> layer(Grid(2, 3), 1, torch.zeros(1)).shape
        torch.Size([1, 3, 7, 7])
    """

    def __init__(self, heads: int, buckets: int, farthest: int) -> None:
        super().__init__()
        if buckets < 4 or buckets % 4 or farthest <= buckets // 4:
            got = f"{buckets} buckets for distances up to {farthest}"
            expected = "a multiple of 4, and distances above a quarter of it"
            raise OptionError("relative positions", got=got, expected=expected, do="correct them")
        self.farthest = farthest
        self.weight = nn.Parameter(torch.zeros(buckets, heads))

    def forward(
        self, grid: Grid, prefix: int, like: Tensor, keep: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b h m m"]:
        """Return the bias (b, h, prefix + k, prefix + k) in the type and on the device of `like`.

        `keep` (b, k) are the numbers of the patches; None keeps all, and b is 1. The bias of the `prefix`
        tokens before the patches is 0.
        """
        places = sequence_places(grid).to(like.device)
        chosen = places.unsqueeze(0) if keep is None else places[keep]
        distances = torch.arange(1 - grid.count, grid.count, device=like.device)
        table = self.weight[distance_buckets(distances, len(self.weight), self.farthest)].to(like)
        apart = chosen.unsqueeze(1) - chosen.unsqueeze(2) + grid.count - 1
        bias = rearrange(table[apart], "b i j h -> b h i j")
        return functional.pad(bias, (prefix, 0, prefix, 0)) if prefix else bias

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw Xavier-normal weights."""
        nn.init.xavier_normal_(self.weight, generator=generator)


class PositionGate(nn.Module):
    """The factor by which each query of a layer multiplies the bias of `RelativePositions`.

    It is a · (s · b − 1) + 2 with a and b = sigmoid(q W + c) and a learned s for each head (Chi et al. 2022,
    "XLM-E", as WavLM uses it).

    Example:

        >>> PositionGate(heads=2, width=4)(torch.zeros(1, 2, 5, 4)).unique().tolist()
        [1.75]
    """

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, width))
        self.bias = nn.Parameter(torch.zeros(2))
        self.scale = nn.Parameter(torch.ones(heads))

    def forward(self, q: Float[Tensor, "b h m e"]) -> Float[Tensor, "b h m 1"]:
        """Return the factor (b, h, m, 1) of queries (b, h, m, e)."""
        first, second = functional.linear(q, self.weight, self.bias).sigmoid().chunk(2, dim=-1)
        return first * (second * self.scale.view(-1, 1, 1) - 1) + 2

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw Xavier-uniform weights; biases are 0, and the scales 1."""
        nn.init.xavier_uniform_(self.weight, generator=generator)
        nn.init.zeros_(self.bias)
        nn.init.ones_(self.scale)
