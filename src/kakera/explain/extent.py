"""How much of a picture is there: the columns of patches that begin before its end."""

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
    """`grid` of the patches that are there, within the `whole` grid of the model, and their width in pixels.

    Numbers of patches count those that are there, 1 … N row by row, so that all that is asked of a picture is
    asked of it as it would be of a whole one.
    """

    grid: Grid
    whole: Grid
    width: int
    step: int

    @classmethod
    def of(cls, encoder: ViT, width: int | None = None) -> ValidArea:
        """Of a picture of `width` pixels, or of a whole one."""
        whole, step = encoder.grid, encoder.step
        if width is None or width >= encoder.size[1]:
            return cls(whole, whole, encoder.size[1], step)
        cols = int((~padding_patches(torch.tensor([width]), Grid(1, whole.cols), step)).sum())
        return cls(Grid(whole.rows, cols), whole, (cols - 1) * step + encoder.config.patch[1], step)

    def padding_mask(self, count: int, device: torch.device) -> Bool[Tensor, "b n"] | None:
        """The patches of the whole grid that are not there, `count` times; None where all are."""
        if self.grid == self.whole:
            return None
        ends = torch.full((count,), self.grid.cols * self.step, device=device)
        return padding_patches(ends, self.whole, self.step)

    def spread(self, chosen: Bool[Tensor, "b m"]) -> Bool[Tensor, "b n"]:
        """Choices among the patches that are there, on the whole grid."""
        there = chosen.reshape(len(chosen), self.grid.rows, self.grid.cols)
        missing = self.whole.cols - self.grid.cols
        return torch.nn.functional.pad(there, (0, missing), value=False).flatten(1)
