"""Which part of a picture is seen: boxes as (left, top, right, bottom) in pixels, and cutting them out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

from kakera.data.images.resize import resized

TRIES = 10  # candidates for a random-size crop before the middle is taken


def random_boxes(
    noise: NDArray[np.float64],
    sizes: NDArray[np.int64],
    area: tuple[float, float],
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> NDArray[np.float64]:
    """Random-size crops (Szegedy et al. 2015): noise (n, 4 · TRIES), sizes (n, 2) as height, width.

    Each has an area within the given shares of the picture and an aspect within `ratio`; of the
    candidates the first that fits is taken, and the largest middle one where none does.
    """
    draws = noise.reshape(len(noise), TRIES, 4)
    height, width = (sizes[:, None, axis].astype(float) for axis in (0, 1))
    share = area[0] + (area[1] - area[0]) * draws[..., 0]
    aspect = np.exp(np.log(ratio[0]) + (np.log(ratio[1]) - np.log(ratio[0])) * draws[..., 1])
    wide = np.round(np.sqrt(share * height * width * aspect))
    high = np.round(np.sqrt(share * height * width / aspect))
    fits = (wide >= 1) & (high >= 1) & (wide <= width) & (high <= height)
    left = np.floor(draws[..., 2] * (width - wide + 1))
    top = np.floor(draws[..., 3] * (height - high + 1))
    boxes = np.stack([left, top, left + wide, top + high], axis=-1)
    chosen = boxes[np.arange(len(noise)), fits.argmax(axis=1)]
    for row in np.flatnonzero(~fits.any(axis=1)):
        chosen[row] = _middle(float(sizes[row, 0]), float(sizes[row, 1]), ratio)
    return chosen


def _middle(height: float, width: float, ratio: tuple[float, float]) -> tuple[float, float, float, float]:
    wide, high = min(width, height * ratio[1]), min(height, width / ratio[0])
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def crop_and_resize(
    picture: NDArray[np.uint8],
    box: tuple[float, float, float, float] | NDArray[np.float64],
    size: tuple[int, int],
    *,
    flip: bool = False,
    interpolation: str = "bicubic",
) -> NDArray[np.uint8]:
    """The box of a picture (H, W, C), resized to `size` (height, width), as (C, height, width).

    `interpolation` is one of Pillow's filters by its name.
    """
    left, top, right, bottom = map(float, box)
    whole = (left, top, right, bottom) == (0, 0, picture.shape[1], picture.shape[0])
    if not (whole and picture.shape[:2] == size):
        box = (max(left, 0), max(top, 0), min(right, picture.shape[1]), min(bottom, picture.shape[0]))
        picture = resized(picture, size, Image.Resampling[interpolation.upper()], box)
    picture = picture[:, ::-1] if flip else picture
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def crop(
    picture: NDArray[np.uint8],
    box: tuple[float, float, float, float] | NDArray[np.float64],
    size: tuple[int, int],
    *,
    flip: bool = False,
) -> NDArray[np.uint8]:
    """A box of whole pixels, cut out first and then made `size`: (C, height, width).

    Colour by torch's vectorised antialiased bicubic, four times as fast as Pillow's and at most 1 of 255
    from it; where Pillow resizes columns before rows (tall crops made smaller) both round otherwise, and one
    value in a thousand is up to 8 apart. Others by `cut`.
    """
    if picture.shape[2] != 3:
        return crop_and_resize(picture, box, size, flip=flip)
    left, top, right, bottom = map(int, box)
    part = np.array(picture[top:bottom, left:right])  # a copy: what was read may be read-only
    if part.shape[:2] != size:
        stack = torch.from_numpy(part).permute(2, 0, 1)[None]
        part = interpolate(stack, size, mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
    return np.ascontiguousarray((part[:, ::-1] if flip else part).transpose(2, 0, 1))


def crops(
    pictures: Sequence[NDArray[np.uint8]],
    boxes: NDArray[np.float64],
    size: tuple[int, int],
    flip: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """`crop` of each picture: (n, C, height, width)."""
    found = np.empty((len(pictures), pictures[0].shape[2], *size), np.uint8)
    for into, picture, box, mirrored in zip(found, pictures, boxes, flip.tolist(), strict=True):
        into[:] = crop(picture, box, size, flip=mirrored)
    return found


def shift(pictures: NDArray[np.uint8], noise: NDArray[np.float64], most: int) -> NDArray[np.uint8]:
    """Pictures (n, C, H, W) moved by up to `most` pixels each way, zeros behind them; noise (n, 2)."""
    count, _, height, width = pictures.shape
    padded = np.pad(pictures, ((0, 0), (0, 0), (most, most), (most, most)))
    down, across = (np.floor(noise * (2 * most + 1)).astype(int)).T
    rows = down[:, None] + np.arange(height)
    cols = across[:, None] + np.arange(width)
    return padded[np.arange(count)[:, None, None], :, rows[:, :, None], cols[:, None, :]].transpose(
        0, 3, 1, 2
    )


def is_whole(area: tuple[float, float]) -> bool:
    """Whether crops of this share are the picture itself."""
    return math.isclose(area[0], 1.0) and math.isclose(area[1], 1.0)
