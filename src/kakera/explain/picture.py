"""Sheets of pictures as PNG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.inputs import InputSpec

GAP = 2  # pixels between pictures, before enlarging
LEAST = 84  # pixels: smaller pictures are enlarged to about this


def sheet(pictures: NDArray[np.uint8], *, across: int = 1) -> Image.Image:
    """(n, k, H, W, c) as rows of n / across groups, `across` groups side by side, white between them."""
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
    """Pictures (…, H, W, c) as they are looked at: spectrograms with the lowest band at the bottom."""
    return np.flip(pictures, axis=-3) if inputs.sound is not None else pictures


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
