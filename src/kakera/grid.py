"""The grid of patches that covers a picture (lecture L1). This module does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

from kakera.errors import OptionError


@dataclass(frozen=True)
class Grid:
    """A grid of `rows` × `cols` patches, numbered row by row from the top left.

    Raises OptionError if `rows` or `cols` is below 1.

    Example:

        >>> Grid(2, 3).count
        6
    """

    rows: int
    cols: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1:
            raise OptionError(
                "grid",
                got=f"{self.rows} x {self.cols}",
                expected="at least one row and one column",
                do="choose a patch no larger than the picture",
            )

    @property
    def count(self) -> int:
        """The number of patches N."""
        return self.rows * self.cols

    @classmethod
    def cover(
        cls, size: tuple[int, int], patch: tuple[int, int], stride: tuple[int, int] | None = None
    ) -> Grid:
        """Return the grid of patches in a picture.

        `size`, `patch` and `stride` are (height, width) in pixels. By default the stride is the patch size,
        so patches lie side by side. With a smaller stride, neighbours overlap, and pixels that remain at the
        right and bottom edge belong to no patch (Gong et al. 2021). Raises OptionError if patches side by
        side do not divide the picture, or if the stride is above the patch size.

        Example:

            >>> Grid.cover((32, 48), (16, 16))
            Grid(rows=2, cols=3)
            >>> Grid.cover((32, 48), (16, 16), stride=(8, 8))
            Grid(rows=3, cols=5)
        """
        if stride is not None and stride != patch:
            return cls._overlapping(size, patch, stride)
        (height, width), (patch_height, patch_width) = size, patch
        if patch_height < 1 or patch_width < 1 or height % patch_height or width % patch_width:
            raise OptionError(
                "patch",
                got=f"{patch_height} x {patch_width} for a picture of {height} x {width}",
                expected="a patch that divides the picture in both directions",
                do=f"try a size of {_nearest(height, patch_height)} x {_nearest(width, patch_width)}"
                " or another patch",
            )
        return cls(height // patch_height, width // patch_width)

    @classmethod
    def _overlapping(cls, size: tuple[int, int], patch: tuple[int, int], stride: tuple[int, int]) -> Grid:
        if not all(0 < step <= side <= whole for step, side, whole in zip(stride, patch, size, strict=True)):
            raise OptionError(
                "stride",
                got=f"{stride[0]} x {stride[1]} for patches of {patch[0]} x {patch[1]}",
                expected=f"a stride from 1 to the patch size, and a patch within {size[0]} x {size[1]}",
                do="choose another stride, or leave it out",
            )
        rows, cols = (
            (whole - side) // step + 1 for whole, side, step in zip(size, patch, stride, strict=True)
        )
        return cls(rows, cols)


def _nearest(length: int, patch: int) -> int:
    patch = max(patch, 1)
    return max(round(length / patch), 1) * patch
