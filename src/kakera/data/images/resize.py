"""Resizing of pictures with any number of channels, and conversion to Pillow images for display."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]
MOST = 2.25  # times the model's input size: the largest stored shorter side
OF_PILLOW = (1, 3)  # channels that Pillow resizes together; it treats a fourth channel as opacity


def resized(
    picture: NDArray[np.uint8],
    size: tuple[int, int],
    resample: Image.Resampling,
    box: Box | None = None,
    reducing_gap: float | None = None,
) -> NDArray[np.uint8]:
    """Resize a picture, or a box of it, with a Pillow filter.

    `picture` is uint8 (H, W, C), `size` the new (height, width). `box` is (left, top, right, bottom) in
    pixels; the default None means the whole picture. `reducing_gap` is the option of Pillow's
    `Image.resize`. Returns uint8 (height, width, C).

    Example:

        >>> resized(np.full((4, 4, 3), 9, np.uint8), (2, 2), Image.Resampling.BICUBIC)[..., 0]
        array([[9, 9],
               [9, 9]], dtype=uint8)
    """
    if picture.shape[2] not in OF_PILLOW:
        planes = [
            resized(picture[..., channel : channel + 1], size, resample, box, reducing_gap)
            for channel in range(picture.shape[2])
        ]
        return np.concatenate(planes, axis=2)
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    result = image.resize((size[1], size[0]), resample, box=box, reducing_gap=reducing_gap)
    return np.asarray(result).reshape(*size, picture.shape[2])


def visible(picture: NDArray[np.uint8], shown: tuple[int, ...] = ()) -> NDArray[np.uint8]:
    """Return the channels to display, (…, 1) or (…, 3), of a picture (…, C).

    `shown` are the numbers of the channels. By default, grey and colour pictures stay as they are; of more
    channels the first three are red, green and blue; of two channels only the first is shown.

    Example:

        >>> visible(np.zeros((2, 2, 5), np.uint8)).shape
        (2, 2, 3)
    """
    channels = picture.shape[-1]
    if shown:
        return picture[..., [min(number, channels - 1) for number in shown]]
    if channels in OF_PILLOW:
        return picture
    return picture[..., :3] if channels > 3 else picture[..., :1]


def image_of(picture: NDArray[np.uint8], shown: tuple[int, ...] = ()) -> Image.Image:
    """Convert a picture, uint8 (H, W, C), to a Pillow image; see `visible` for `shown`.

    Example:

        >>> image_of(np.zeros((2, 3, 1), np.uint8)).size
        (3, 2)
    """
    values = np.ascontiguousarray(visible(picture, shown))
    return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)


def stored_side(image: int, crop_least: float) -> int:
    """Return the shorter side in pixels at which pictures are stored, so that crops lose little detail.

    `image` is the side of the model's input, `crop_least` the smallest share of the area of a random-size
    crop. The result is `image` / √`crop_least`, but at most 2.25 times `image`. So the smallest square crop
    of a square picture still has `image` pixels per side, and no crop is enlarged.

    Measured with shares of 0.2 to 1, 96 pixels, and 120 drawings of 300 to 1 500 pixels: crops differ from
    those of the original picture by 0.4 of 255 on average (0.6 for 2 times, 1.3 for 1.5 times, 3.3 for the
    same side). Neighbouring pixels differ by 8.

    Example:

        >>> stored_side(96, 0.25), stored_side(96, 0.01)
        (192, 216)
    """
    return math.ceil(image * min(max(crop_least, 1e-9) ** -0.5, MOST))


def shrunken_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Return (height, width) scaled down to a shorter side of at most `shorter` pixels.

    A smaller picture keeps its size; with `shorter` 0 every picture keeps its size.

    Example:

        >>> shrunken_size((400, 200), 100), shrunken_size((50, 60), 100)
        ((200, 100), (50, 60))
    """
    height, width = size
    if not shorter or min(size) <= shorter:
        return size
    scale = shorter / min(size)
    return max(round(height * scale), shorter), max(round(width * scale), shorter)


def shrunken(picture: NDArray[np.uint8], shorter: int) -> NDArray[np.uint8]:
    """Scale a picture (H, W, C) down to a shorter side of at most `shorter` pixels, with a Lanczos filter.

    Example:

        >>> shrunken(np.zeros((40, 20, 3), np.uint8), 10).shape
        (20, 10, 3)
    """
    height, width = shrunken_size((picture.shape[0], picture.shape[1]), shorter)
    if (height, width) == picture.shape[:2]:
        return picture
    return resized(picture, (height, width), Image.Resampling.LANCZOS, reducing_gap=3.0)
