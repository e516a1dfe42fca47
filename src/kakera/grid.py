"""The grid of patches that covers a picture (lecture L1). No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from kakera.errors import OptionError


@dataclass(frozen=True)
class Grid:
    """`rows` × `cols` patches, numbered row by row from the top left."""

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
        """N, the number of patches."""
        return self.rows * self.cols

    @classmethod
    def cover(
        cls, size: tuple[int, int], patch: tuple[int, int], stride: tuple[int, int] | None = None
    ) -> Grid:
        """The grid of (height, width) patches in a picture of (height, width) pixels.

        With a `stride` below the patch neighbours overlap, and what is left at the end is not seen (Gong et
        al. 2021). Raises OptionError where side by side they do not divide the picture.
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
                expected=f"1 up to the patch, and a patch within {size[0]} x {size[1]}",
                do="choose another stride, or none",
            )
        rows, cols = (
            (whole - side) // step + 1 for whole, side, step in zip(size, patch, stride, strict=True)
        )
        return cls(rows, cols)


def _nearest(length: int, patch: int) -> int:
    patch = max(patch, 1)
    return max(round(length / patch), 1) * patch
