"""Pictures made smaller once, before training cuts its crops out of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.images.resize import resized

MOST = 2.25  # times the side that the model sees


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
