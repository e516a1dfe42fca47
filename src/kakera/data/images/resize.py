"""Pictures of any number of channels resized by Pillow, made smaller once, and drawn as images to look at."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]
MOST = 2.25  # times the side that a model sees: a picture is kept no larger
OF_PILLOW = (1, 3)  # channels that Pillow resizes together; of four it takes the last for opacity


def resized(
    picture: NDArray[np.uint8],
    size: tuple[int, int],
    resample: Image.Resampling,
    box: Box | None = None,
    reducing_gap: float | None = None,
) -> NDArray[np.uint8]:
    """(height, width, C) of a picture (H, W, C): all of it, or its box (left, top, right, bottom)."""
    if picture.shape[2] not in OF_PILLOW:
        planes = [
            resized(picture[..., one : one + 1], size, resample, box, reducing_gap)
            for one in range(picture.shape[2])
        ]
        return np.concatenate(planes, axis=2)
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    found = image.resize((size[1], size[0]), resample, box=box, reducing_gap=reducing_gap)
    return np.asarray(found).reshape(*size, picture.shape[2])


def visible(picture: NDArray[np.uint8], shown: tuple[int, ...] = ()) -> NDArray[np.uint8]:
    """(…, 1 or 3) of a picture (…, C): grey and colour as they are, of others the channels `shown`.

    By default the first three, red, green and blue; of two the first.
    """
    channels = picture.shape[-1]
    if shown:
        return picture[..., [min(one, channels - 1) for one in shown]]
    if channels in OF_PILLOW:
        return picture
    return picture[..., :3] if channels > 3 else picture[..., :1]


def image_of(picture: NDArray[np.uint8], shown: tuple[int, ...] = ()) -> Image.Image:
    """An image to look at of a picture (H, W, C)."""
    values = np.ascontiguousarray(visible(picture, shown))
    return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)


def stored_side(image: int, crop_least: float) -> int:
    """The shorter side in pixels at which a picture is kept, so that crops made `image` pixels lose little.

    `image` / √crop_least, at most 2.25 times `image`: the smallest square crop, `crop_least` of the area of a
    square picture, still has `image` pixels a side, so none is enlarged. For shares of 0.2 to 1, 96 pixels
    and 120 drawings of 300 to 1 500 pixels, crops differ from those of the whole picture by 0.4 of 255 on
    average (0.6 for 2 times, 1.3 for 1.5 times, 3.3 for the same side); neighbouring pixels differ by 8.
    """
    return math.ceil(image * min(max(crop_least, 1e-9) ** -0.5, MOST))


def shrunken_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """(height, width) with a shorter side of at most `shorter`; as it is where that is no less, or 0."""
    height, width = size
    if not shorter or min(size) <= shorter:
        return size
    scale = shorter / min(size)
    return max(round(height * scale), shorter), max(round(width * scale), shorter)


def shrunken(picture: NDArray[np.uint8], shorter: int) -> NDArray[np.uint8]:
    """A picture (H, W, C) with a shorter side of at most `shorter`, by Lanczos' antialiased filter."""
    height, width = shrunken_size((picture.shape[0], picture.shape[1]), shorter)
    if (height, width) == picture.shape[:2]:
        return picture
    return resized(picture, (height, width), Image.Resampling.LANCZOS, reducing_gap=3.0)
