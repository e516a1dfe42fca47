"""The centre crop of a picture for evaluation, as the model's `InputSpec` defines it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.images.augment import crop_and_resize
from kakera.inputs import INTERPOLATIONS, InputSpec

MOST = 4  # a resized picture with up to 4 times the crop's pixels is made whole and cropped afterwards
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class CenterCrop:
    """The centre crop of a picture, resized to `size` (height, width).

    With `resize`, the picture is first resized: its shorter side to (a,) pixels, or the whole picture to
    (height, width). Then the centre `size` pixels are cropped; `offset` ("floor" or "round") defines how half
    a pixel is rounded. Without `resize`, the crop has the aspect ratio of `size` and `crop_pct` of the
    largest possible side. A square `size` with `crop_pct` 1 is the same as `resize` to that side.
    `interpolation` is the name of a Pillow filter.

    Example:

        >>> crop = CenterCrop((4, 4))
        >>> crop(np.zeros((8, 16, 3), np.uint8)).shape
        (3, 4, 4)
        >>> crop.box((8, 16))
        (4.0, 0.0, 12.0, 8.0)
    """

    size: tuple[int, int]
    crop_pct: float = 1.0
    resize: tuple[int, ...] = ()
    interpolation: str = "bicubic"
    offset: str = "floor"

    @classmethod
    def of(cls, given: InputSpec | CenterCrop | tuple[int, int]) -> CenterCrop:
        """Return the centre crop of an `InputSpec`, or the largest crop for a (height, width)."""
        if isinstance(given, CenterCrop):
            return given
        if isinstance(given, InputSpec):
            return cls(given.size, given.crop_pct, given.resize, given.interpolation, given.crop_offset)
        return cls(given)

    def into(self, inputs: InputSpec) -> InputSpec:
        """Return a copy of `inputs` with this crop, resized to the size of `inputs`."""
        crop = self.resized(inputs.size)
        return replace(
            inputs,
            crop_pct=crop.crop_pct,
            resize=crop.resize,
            interpolation=crop.interpolation,
            crop_offset=crop.offset,
        )

    def resized(self, size: tuple[int, int]) -> CenterCrop:
        """Return the same crop for a model with another input size (height, width)."""
        if size == self.size:
            return self
        spec = InputSpec(1, *self.size, (0.0,), (1.0,), resize=self.resize).resized(size)
        return replace(self, size=size, resize=spec.resize)

    def box(self, size: tuple[int, int]) -> Box:
        """Return the crop (left, top, right, bottom) in pixels of a picture with `size` (height, width)."""
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
        """The effective `resize`: (height,) for a square crop with `crop_pct` 1 and no `resize`."""
        height, width = self.size
        return (height,) if not self.resize and self.crop_pct == 1 and height == width else self.resize

    def _inside(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) after `resize`; the longer side is rounded down, as in other libraries."""
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
        """Crop and resize a picture, uint8 (H, W, C), and return uint8 (C, *size)."""
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
        """Return True if the crop leaves a picture with `size` (height, width) unchanged."""
        return size == self.size and self.box(size) == (0, 0, size[1], size[0])

    def numbers(self) -> tuple[int, ...]:
        """Return the settings as integers, for the name of a cache file."""
        kind = (INTERPOLATIONS.index(self.interpolation), int(self.offset == "floor"))
        return (*self.size, round(self.crop_pct * 1e6), len(self.resize), *self.resize, *kind)
