"""The part of a picture that is not padding: the columns of patches that begin before its end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from kakera.grid import Grid
from kakera.model.token_index import padding_patches
from kakera.model.vit import ViT


@dataclass(frozen=True)
class ValidArea:
    """The area of a picture without padding: its grid of patches, and its width in pixels.

    `grid` is the grid without padding, `whole` the grid of the model. `step` is the number of pixels from one
    column of patches to the next. Patch numbers 1 … N count the patches of `grid` row by row, so a picture
    with padding is handled like a picture without.

    Example:

        >>> area = ValidArea.of(ViT("nano", channels=1, image_size=8, seed=0), width=4)
        >>> area.grid, area.padding_mask(1, torch.device("cpu"))
        (Grid(rows=2, cols=1), tensor([[False,  True, False,  True]]))
    """

    grid: Grid
    whole: Grid
    width: int
    step: int

    @classmethod
    def of(cls, encoder: ViT, width: int | None = None, size: tuple[int, int] | None = None) -> ValidArea:
        """Return the area of a picture of `width` pixels, or of a picture without padding.

        `size` (height, width) is that of a picture for an encoder of any shape.
        """
        if encoder.config.any_shape and size is not None and size != encoder.size:
            grid = encoder.grid_for(size)
            return cls(grid, grid, size[1], encoder.step)
        whole, step = encoder.grid, encoder.step
        if width is None or width >= encoder.size[1]:
            return cls(whole, whole, encoder.size[1], step)
        cols = int((~padding_patches(torch.tensor([width]), Grid(1, whole.cols), step)).sum())
        return cls(Grid(whole.rows, cols), whole, (cols - 1) * step + encoder.config.patch[1], step)

    def padding_mask(self, count: int, device: torch.device) -> Bool[Tensor, "b n"] | None:
        """Return the padding mask (count, n) of the whole grid, equal in all rows; None without padding."""
        if self.grid == self.whole:
            return None
        ends = torch.full((count,), self.grid.cols * self.step, device=device)
        return padding_patches(ends, self.whole, self.step)

    def spread(self, chosen: Bool[Tensor, "b m"]) -> Bool[Tensor, "b n"]:
        """Return a Boolean mask (b, m) of the valid patches on the whole grid (b, n); padding is False."""
        valid = chosen.reshape(len(chosen), self.grid.rows, self.grid.cols)
        missing = self.whole.cols - self.grid.cols
        return torch.nn.functional.pad(valid, (0, missing), value=False).flatten(1)
