"""Crops, flips and shifts of pictures. A box is (left, top, right, bottom) in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.images.resize import resized

TRIES = 10  # candidates for a random-size crop; if none fits, the centre crop is used


def random_boxes(
    noise: NDArray[np.float64],
    sizes: NDArray[np.int64],
    area: tuple[float, float],
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> NDArray[np.float64]:
    """Choose a random-size crop for each picture (Szegedy et al. 2015).

    `noise` (n, 4 · TRIES) contains random numbers in [0, 1). `sizes` (n, 2) are heights and widths in pixels.
    `area` is the smallest and largest share of the picture's area, `ratio` the smallest and largest aspect
    ratio (width / height). Returns boxes (n, 4) in pixels: for each picture the first candidate that fits,
    or the largest centre crop with an allowed aspect ratio if no candidate fits.

    Example:

        >>> noise = np.full((1, 4 * TRIES), 0.5)
        >>> random_boxes(noise, np.array([[8, 8]]), area=(0.25, 0.25))
        array([[2., 2., 6., 6.]])
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
    """Crop a picture, resize the crop with Pillow, and flip it if requested.

    `picture` is uint8 (H, W, C), `box` the crop in pixels (fractions are allowed), `size` the new (height,
    width). `flip` mirrors left and right. `interpolation` is the name of a Pillow filter, such as "bicubic".
    Returns uint8 (C, height, width).

    Example:

        >>> crop_and_resize(np.zeros((8, 8, 3), np.uint8), (0, 0, 4, 4), (2, 2)).shape
        (3, 2, 2)
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
    """Crop a box of whole pixels out of a picture, resize it, and flip it if requested.

    `picture` is uint8 (H, W, C), `size` the new (height, width). `flip` mirrors left and right. Returns uint8
    (C, height, width).

    Pictures with 3 channels use the antialiased bicubic resizing of PyTorch. It is four times as fast as
    Pillow's, and its values differ by at most 1 of 255. In tall crops that become smaller, Pillow resizes
    columns before rows; rounding then differs, and one value in a thousand differs by up to 8. Other pictures
    use `crop_and_resize`.

    Example:

        >>> picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        >>> crop(picture, (1, 0, 2, 1), (1, 1)).ravel()
        array([3, 4, 5], dtype=uint8)
    """
    if picture.shape[2] != 3:
        return crop_and_resize(picture, box, size, flip=flip)
    left, top, right, bottom = map(int, box)
    part = np.array(picture[top:bottom, left:right])  # a copy, because the picture may be read-only
    if part.shape[:2] != size:
        import torch  # late, because it takes a second
        from torch.nn.functional import interpolate

        stack = torch.from_numpy(part).permute(2, 0, 1)[None]
        part = interpolate(stack, size, mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
    return np.ascontiguousarray((part[:, ::-1] if flip else part).transpose(2, 0, 1))


def crops(
    pictures: Sequence[NDArray[np.uint8]],
    boxes: NDArray[np.float64],
    size: tuple[int, int],
    flip: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Apply `crop` to each picture.

    `pictures` are n arrays uint8 (H, W, C), `boxes` is (n, 4) in whole pixels, `flip` (n,). Returns uint8
    (n, C, height, width).

    Example:

        >>> pictures = [np.zeros((4, 4, 3), np.uint8), np.zeros((6, 6, 3), np.uint8)]
        >>> boxes = np.array([[0, 0, 4, 4], [1, 1, 5, 5]])
        >>> crops(pictures, boxes, (2, 2), np.array([False, True])).shape
        (2, 3, 2, 2)
    """
    result = np.empty((len(pictures), pictures[0].shape[2], *size), np.uint8)
    for row, picture, box, mirrored in zip(result, pictures, boxes, flip.tolist(), strict=True):
        row[:] = crop(picture, box, size, flip=mirrored)
    return result


def shift(pictures: NDArray[np.uint8], noise: NDArray[np.float64], most: int) -> NDArray[np.uint8]:
    """Shift each picture by up to `most` pixels vertically and horizontally, and fill the gap with zeros.

    `pictures` is uint8 (n, C, H, W). `noise` (n, 2) contains random numbers in [0, 1). Returns an array of
    the same shape.

    Example:

        >>> shift(np.array([[[[1, 2], [3, 4]]]], np.uint8), np.array([[0.0, 0.5]]), most=1)
        array([[[[0, 0],
                 [1, 2]]]], dtype=uint8)
    """
    count, _, height, width = pictures.shape
    padded = np.pad(pictures, ((0, 0), (0, 0), (most, most), (most, most)))
    down, across = (np.floor(noise * (2 * most + 1)).astype(int)).T
    rows = down[:, None] + np.arange(height)
    cols = across[:, None] + np.arange(width)
    return padded[np.arange(count)[:, None, None], :, rows[:, :, None], cols[:, None, :]].transpose(
        0, 3, 1, 2
    )


def is_whole(area: tuple[float, float]) -> bool:
    """Return True if random-size crops with these shares of the area are the whole picture.

    Example:

        >>> is_whole((1.0, 1.0)), is_whole((0.2, 1.0))
        (True, False)
    """
    return math.isclose(area[0], 1.0) and math.isclose(area[1], 1.0)
