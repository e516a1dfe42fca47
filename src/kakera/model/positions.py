"""Position embeddings r_i of patches (lecture L4 ④): create them, and resize them to another grid.

The first rows belong to the class tokens, mostly one. The patches follow row by row.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kakera.errors import OptionError
from kakera.grid import Grid

Resampling: TypeAlias = Literal["bicubic", "antialiased", "bilinear", "cut", "kept"]
ALIKE = 1e-3  # of sine and cosine embeddings that another library computed in float32


def sincos(grid: Grid, width: int, class_tokens: int = 1) -> Float[Tensor, "n d"]:
    """Return two-dimensional sine and cosine position embeddings (class tokens + n, d), float32.

    They are those of the MAE paper (App. A.1): the rows of class tokens are zero. Each other row is [sin w |
    cos w | sin h | cos h] with d/4 frequencies each: ω_i = 10000^(−i / (d/4)). The values are computed in
    float64. On the meta device, the values are not computed. Raises OptionError if `width` is not a multiple
    of 4.

    Example:

        >>> sincos(Grid(2, 3), 8).shape
        torch.Size([7, 8])
    """
    if width % 4:
        raise OptionError("width", got=width, expected="a multiple of 4", do="choose another width")
    if torch.get_default_device().type == "meta":
        return torch.empty(class_tokens + grid.count, width)
    quarter = width // 4
    frequencies = 10_000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    rows, cols = torch.meshgrid(
        torch.arange(grid.rows, dtype=torch.float64),
        torch.arange(grid.cols, dtype=torch.float64),
        indexing="ij",
    )
    parts = [
        function(axis.reshape(-1, 1) * frequencies)
        for axis in (cols, rows)
        for function in (torch.sin, torch.cos)
    ]
    patches = torch.cat(parts, dim=1)
    return torch.cat([torch.zeros(class_tokens, width, dtype=torch.float64), patches]).float()


def resize(
    positions: Float[Tensor, "n d"], old: Grid, new: Grid, how: Resampling = "bicubic"
) -> Float[Tensor, "m d"]:
    """Return position embeddings (t + m, d) for another grid, resized in two dimensions.

    `positions` are (t + n, d): the rows of t class tokens, which do not change, and those of the patches.
    `how` is the method: "bicubic" without antialiasing as in MAE, "antialiased" as in timm, "bilinear"
    (antialiased) as in SigLIP 2 and TIPSv2, or "cut" as in AST (Gong et al. 2021, Sec. 2.2). "cut" takes the
    middle of the grid along a shorter axis, and interpolates linearly along a longer one. With "kept" each
    patch keeps its embedding, see `crop_positions`; what cannot be continued is interpolated linearly.

    Example:

        >>> resize(sincos(Grid(2, 2), 8), Grid(2, 2), Grid(4, 3)).shape
        torch.Size([13, 8])
    """
    if old == new:
        return positions
    if how == "kept":
        return crop_positions(positions, old, new, "cut")
    count = len(positions) - old.count
    rows = positions[count:]
    field = rearrange(rows, "(rows cols) d -> 1 d rows cols", rows=old.rows, cols=old.cols).float()
    if how == "cut":
        field = _cut(field, new)
    else:
        field = functional.interpolate(
            field,
            size=(new.rows, new.cols),
            mode="bilinear" if how == "bilinear" else "bicubic",
            align_corners=False,
            antialias=how != "bicubic",
        )
    patches = rearrange(field, "1 d rows cols -> (rows cols) d").to(positions.dtype)
    return torch.cat([positions[:count], patches])


def _cut(field: Float[Tensor, "1 d rows cols"], new: Grid) -> Float[Tensor, "1 d newrows newcols"]:
    for axis, count in ((2, new.rows), (3, new.cols)):
        spare = field.shape[axis] - count
        if spare >= 0:
            # AST's start: half of the old length minus half of the new one, each rounded down.
            field = field.narrow(axis, field.shape[axis] // 2 - count // 2, count)
        else:
            size = (count, field.shape[3]) if axis == 2 else (field.shape[2], count)
            field = functional.interpolate(field, size=size, mode="bilinear", align_corners=False)
    return field


def crop_positions(
    positions: Float[Tensor, "n d"], old: Grid, new: Grid, how: Resampling = "bicubic"
) -> Float[Tensor, "m d"]:
    """Return position embeddings (t + m, d) for a grid with the same top left corner and another end.

    Each patch keeps its embedding: rows and columns at the end are removed. In a larger grid, sine and cosine
    embeddings are computed for the new patches, also if the half of the vertical axis is first.
    Other embeddings cannot be continued, so they are resized by the method `how`.

    Example:

        >>> old = sincos(Grid(2, 4), 8)
        >>> torch.equal(crop_positions(old, Grid(2, 4), Grid(2, 3))[:4], old[:4])
        True
    """
    if old == new:
        return positions
    count = len(positions) - old.count
    if new.rows > old.rows or new.cols > old.cols:
        width = positions.shape[1]
        known = None if width % 4 else sincos(old, width, count).to(positions.dtype)
        if known is not None and torch.allclose(positions.cpu(), known, atol=1e-6):
            return sincos(new, width, count).to(positions)
        if known is not None and torch.allclose(positions.cpu(), _vertical_first(known), atol=ALIKE):
            return _vertical_first(sincos(new, width, count)).to(positions)
        return resize(positions, old, new, how)
    field = rearrange(positions[count:], "(rows cols) d -> rows cols d", rows=old.rows, cols=old.cols)
    return torch.cat([positions[:count], field[: new.rows, : new.cols].flatten(0, 1)])


def _vertical_first(positions: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Return sine and cosine embeddings with the half of the vertical axis before that of the horizontal."""
    return positions.roll(positions.shape[1] // 2, dims=1)
