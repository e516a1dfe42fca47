"""Pictures of any number of channels resized by Pillow, and drawn as images to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]
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
