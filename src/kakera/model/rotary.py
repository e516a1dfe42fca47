"""Rotary position embeddings of patches: queries and keys are rotated by angles of their places.

Su et al. 2021, "RoFormer", Sec. 3; for pictures with two axes Siméoni et al. 2025, "DINOv3". A place is the
centre of a patch, from −1 to 1 along each axis, so a patch keeps its angles roughly when the picture size
changes. Class tokens and registers are not rotated. Other encoders count from the first patch, which is not
rotated either, and give the whole picture a fixed `span` (Fang et al. 2023, "EVA-02").
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kakera.errors import OptionError
from kakera.grid import Grid

Rotation: TypeAlias = tuple[Tensor, Tensor]
"""Cosines and sines (b, 1, n, e), with b = 1 if all pictures have the same patches."""


def require_rotary(width: int, heads: int) -> None:
    """Check that heads can be rotated along two axes. Raises OptionError otherwise.

    Example:

        >>> require_rotary(64, 2)
    """
    if width // heads % 4:
        got, expected = f"heads of width {width // heads}", "a multiple of 4 for rotary positions"
        raise OptionError("heads", got=got, expected=expected, do="correct heads or width")


def angles(grid: Grid, width: int, base: float, span: float = 0.0) -> Float[Tensor, "n e"]:
    """Return the angles (n, e) of the patches of a grid, for heads of this `width` e, in radians, float64.

    The angle of pair k along an axis is 2π · place · base^(−4k / e), k = 0 … e/4 − 1. With a `span` above 0
    it is span · i / n · base^(−4k / e) for patch i = 0 … n − 1 of an axis. The first quarter of the values
    belongs to the rows, the second to the columns, and the second half repeats the first.

    Example:

        >>> angles(Grid(1, 2), 4, 100.0)[:, 1].tolist() == [-math.pi, math.pi]
        True
    """
    frequencies = base ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    numbers = (torch.arange(count, dtype=torch.float64) for count in (grid.rows, grid.cols))
    rows, cols = (each / len(each) if span else (2 * each + 1) / len(each) - 1 for each in numbers)
    down, across = torch.meshgrid(rows, cols, indexing="ij")
    halves = [(span or 2 * math.pi) * axis.reshape(-1, 1) * frequencies for axis in (down, across)]
    return torch.cat([*halves, *halves], dim=1)


def rotation(
    table: Float[Tensor, "n e"], prefix: int, like: Tensor, keep: Int[Tensor, "b k"] | None = None
) -> Rotation:
    """Return cosines and sines (b, 1, prefix + k, e) of a table of angles, in the type and device of `like`.

    `keep` (b, k) are the numbers of the patches; None keeps all, and b is 1. The `prefix` tokens before the
    patches have angles of zero.

    Example:

        >>> cos, sin = rotation(angles(Grid(1, 2), 4, 100.0), 1, torch.zeros(1))
        >>> cos.shape, cos[0, 0, 0].tolist()
        (torch.Size([1, 1, 3, 4]), [1.0, 1.0, 1.0, 1.0])
    """
    parts: list[Tensor] = []
    for values, first in ((table.cos(), 1.0), (table.sin(), 0.0)):
        known = values.to(like)
        chosen = known[None] if keep is None else known[keep]
        start = known.new_full((chosen.shape[0], prefix, known.shape[-1]), first)
        parts.append(torch.cat([start, chosen], dim=1).unsqueeze(1))
    return parts[0], parts[1]


def rotate(x: Float[Tensor, "b h m e"], by: Rotation) -> Float[Tensor, "b h m e"]:
    """Return queries or keys (b, h, m, e), rotated: the first m tokens of the rotation belong to them.

    Example:

        >>> quarter = torch.full((1, 1, 1, 4), math.pi / 2)
        >>> rotate(torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), (quarter.cos(), quarter.sin())).round().tolist()
        [[[[-3.0, -4.0, 1.0, 2.0]]]]
    """
    cos, sin = (part[:, :, : x.shape[2]].to(x.dtype) for part in by)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
