"""What a model sees of a whole picture in evaluation: its centre crop, as the model's `InputSpec` says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.images.augment import crop_and_resize
from kakera.inputs import INTERPOLATIONS, InputSpec

MOST = 4  # times the pixels of the crop: up to here a picture is resized first and cropped then
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class CenterCrop:
    """The middle of a picture, made `size` (height, width) in one step.

    With `resize` the picture is resized first, its shorter side to (a,) or all of it to (height, width), and
    `size` pixels are cut out of that; `offset` says how half a pixel is rounded. Without it the box has the
    aspect of `size` and `crop_pct` of the largest such side; all of that of a square is `resize` to its side.
    """

    size: tuple[int, int]
    crop_pct: float = 1.0
    resize: tuple[int, ...] = ()
    interpolation: str = "bicubic"
    offset: str = "floor"

    @classmethod
    def of(cls, given: InputSpec | CenterCrop | tuple[int, int]) -> CenterCrop:
        """The crop of a model's inputs; of a size alone the largest."""
        if isinstance(given, CenterCrop):
            return given
        if isinstance(given, InputSpec):
            return cls(given.size, given.crop_pct, given.resize, given.interpolation, given.crop_offset)
        return cls(given)

    def into(self, inputs: InputSpec) -> InputSpec:
        """The inputs with this crop, made their size."""
        crop = self.resized(inputs.size)
        return replace(
            inputs,
            crop_pct=crop.crop_pct,
            resize=crop.resize,
            interpolation=crop.interpolation,
            crop_offset=crop.offset,
        )

    def resized(self, size: tuple[int, int]) -> CenterCrop:
        """The same for a model of another size."""
        if size == self.size:
            return self
        spec = InputSpec(1, *self.size, (0.0,), (1.0,), resize=self.resize).resized(size)
        return replace(self, size=size, resize=spec.resize)

    def box(self, size: tuple[int, int]) -> Box:
        """(left, top, right, bottom) in pixels of a picture (height, width)."""
        height, width = size
        if not self.sides:
            scale = min(height / self.size[0], width / self.size[1]) * self.crop_pct
            high, wide = self.size[0] * scale, self.size[1] * scale
            left, top = (width - wide) / 2, (height - high) / 2
            return left, top, left + wide, top + high
        across = [
            self._across(whole, inside, target)
            for whole, inside, target in zip(size, self._inside(size), self.size, strict=True)
        ]
        (top, bottom), (left, right) = across
        return left, top, right, bottom

    @property
    def sides(self) -> tuple[int, ...]:
        """`resize`, also where it is left to the size."""
        height, width = self.size
        return (height,) if not self.resize and self.crop_pct == 1 and height == width else self.resize

    def _inside(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the picture after `resize`: the longer side is rounded down, as elsewhere."""
        if len(self.sides) == 2:
            return self.sides[0], self.sides[1]
        (height, width), side = size, self.sides[0]
        if height <= width:
            return side, int(side * width / height)
        return int(side * height / width), side

    def _across(self, whole: int, inside: int, target: int) -> tuple[float, float]:
        start, end = self._edges(inside, target)
        return start * whole / inside, end * whole / inside

    def _edges(self, inside: int, target: int) -> tuple[int, int]:
        spare = inside - target
        start = spare // 2 if self.offset == "floor" else round(spare / 2)
        return start, start + target

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(C, *size) of a picture (H, W, C)."""
        whole = (picture.shape[0], picture.shape[1])
        inside = self._inside(whole) if self.sides else (0, 0)
        if self.sides and inside[0] * inside[1] <= MOST * self.size[0] * self.size[1]:
            (top, bottom), (left, right) = (
                self._edges(side, target) for side, target in zip(inside, self.size, strict=True)
            )
            everything = crop_and_resize(
                picture, (0, 0, *whole[::-1]), inside, interpolation=self.interpolation
            )
            return np.ascontiguousarray(everything[:, top:bottom, left:right])
        return crop_and_resize(picture, self.box(whole), self.size, interpolation=self.interpolation)

    def is_all_of(self, size: tuple[int, int]) -> bool:
        """Whether a picture (height, width) is seen as it is."""
        return size == self.size and self.box(size) == (0, 0, size[1], size[0])

    def numbers(self) -> tuple[int, ...]:
        """For the name of a piece of the cache."""
        kind = (INTERPOLATIONS.index(self.interpolation), int(self.offset == "floor"))
        return (*self.size, round(self.crop_pct * 1e6), len(self.resize), *self.resize, *kind)
