"""Sheets of pictures as PNG files."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.inputs import InputSpec

GAP = 2  # pixels between pictures, before enlarging
LEAST = 84  # pixels: smaller pictures are enlarged to about this


def sheet(pictures: NDArray[np.uint8], *, across: int = 1) -> Image.Image:
    """Return a sheet of pictures (n, k, H, W, c): n groups of k pictures, `across` groups in each row.

    Gaps between the pictures are white. Small pictures are enlarged to a height of about `LEAST` pixels.

    Example:

        >>> sheet(np.zeros((2, 3, 84, 84, 1), np.uint8)).size
        (256, 170)
    """
    count, each, height, width, channels = pictures.shape
    rows = -(-count // across)
    wide = across * (each * (width + GAP) + GAP) - GAP
    canvas = np.full((rows * (height + GAP) - GAP, wide - GAP, channels), 255, np.uint8)
    for number, group in enumerate(pictures):
        top = (number // across) * (height + GAP)
        for place, picture in enumerate(group):
            left = (number % across) * (each * (width + GAP) + GAP) + place * (width + GAP)
            canvas[top : top + height, left : left + width] = picture
    image = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    factor = max(1, round(LEAST / height))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def upright(pictures: NDArray[np.uint8], inputs: InputSpec) -> NDArray[np.uint8]:
    """Return pictures (…, H, W, c) as they are displayed: spectrograms with the lowest band at the bottom.

    Example:

        >>> inputs = InputSpec(channels=1, height=2, width=1, mean=(0.5,), std=(0.25,))
        >>> upright(np.array([[[1]], [[2]]], np.uint8), inputs).ravel().tolist()
        [1, 2]
    """
    return np.flip(pictures, axis=-3) if inputs.sound is not None else pictures


def png(image: Image.Image) -> bytes:
    """Return the bytes of a PNG file.

    Example:

        >>> png(Image.new("L", (2, 2)))[1:4]
        b'PNG'
    """
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
