"""The grid of patches that covers a picture (lecture L1). No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from kakera.errors import OptionError, sentence


@dataclass(frozen=True)
class Grid:
    """`rows` × `cols` patches, numbered row by row from the top left."""

    rows: int
    cols: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1:
            raise OptionError(
                sentence(
                    "grid",
                    got=f"{self.rows} x {self.cols}",
                    expected="at least one row and one column",
                    do="choose a patch no larger than the picture",
                )
            )

    @property
    def count(self) -> int:
        """N, the number of patches."""
        return self.rows * self.cols

    @classmethod
    def cover(cls, size: tuple[int, int], patch: tuple[int, int]) -> Grid:
        """The grid of (height, width) patches in a picture of (height, width) pixels.

        Raises OptionError where the patch does not divide the picture.
        """
        (height, width), (patch_height, patch_width) = size, patch
        if patch_height < 1 or patch_width < 1 or height % patch_height or width % patch_width:
            raise OptionError(
                sentence(
                    "patch",
                    got=f"{patch_height} x {patch_width} for a picture of {height} x {width}",
                    expected="a patch that divides the picture in both directions",
                    do=f"try a size of {_nearest(height, patch_height)} x {_nearest(width, patch_width)}"
                    " or another patch",
                )
            )
        return cls(height // patch_height, width // patch_width)


def _nearest(length: int, patch: int) -> int:
    patch = max(patch, 1)
    return max(round(length / patch), 1) * patch
