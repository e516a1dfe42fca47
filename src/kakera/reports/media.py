"""Small versions of pictures and recordings for a report."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 160  # pixels: longest side of a thumbnail
SMALL = 64  # pixels: up to this side, a PNG is smaller than a JPEG, and exact
SECONDS = 3.0  # length of an excerpt of a recording
RATE = 16_000  # samples per second: higher rates are lowered to about this value


def thumbnail(values: NDArray[np.uint8], side: int = SIDE) -> tuple[bytes, str]:
    """Return the bytes of a thumbnail, and their kind: png or jpeg.

    `values` is a picture (H, W, 1 or 3), uint8; `side` is the longest side of the thumbnail in pixels.

    Example:

        >>> content, kind = thumbnail(np.zeros((300, 200, 3), np.uint8), side=32)
        >>> kind, Image.open(io.BytesIO(content)).size
        ('png', (21, 32))
    """
    picture = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    picture.thumbnail((side, side), Image.Resampling.BOX if side < SMALL else Image.Resampling.LANCZOS)
    return encoded(picture)


def encoded(picture: Image.Image, quality: int = 85) -> tuple[bytes, str]:
    """Return a small picture as PNG or a larger one as JPEG, and the kind: png or jpeg.

    Example:

        >>> encoded(Image.new("RGB", (100, 100)))[1]
        'jpeg'
    """
    kind = "png" if max(picture.size) <= SMALL else "jpeg"
    buffer = io.BytesIO()
    options = {"optimize": True} if kind == "png" else {"quality": quality}
    picture.save(buffer, format=kind.upper(), **options)
    return buffer.getvalue(), kind


def sheet(png: bytes, most: int = 300_000, side: int = 1600) -> tuple[bytes, str]:
    """Return a PNG unchanged if it has at most `most` bytes, else a smaller JPEG.

    `side` is the longest side of the JPEG in pixels. The second value is the kind: png or jpeg.

    Example:

        >>> content, _ = encoded(Image.new("L", (8, 8)))
        >>> sheet(content) == (content, "png")
        True
    """
    if len(png) <= most:
        return png, "png"
    with Image.open(io.BytesIO(png)) as picture:
        smaller = picture.convert("RGB")
    smaller.thumbnail((side, side))
    return encoded(smaller)


def wav(samples: NDArray[Any], rate: int, seconds: float = SECONDS) -> bytes:
    """Return the first `seconds` of a waveform (samples,), −1 … 1, as a WAV file with 16 bits, mono.

    High sample rates are lowered to about `RATE` by the mean of neighbours, which is sufficient to recognise
    the sound.

    Example:

        >>> len(wav(np.zeros(32_000), 16_000, seconds=1.0))
        32044
    """
    factor = max(1, round(rate / RATE))
    samples = np.asarray(samples[: round(seconds * rate)], dtype=np.float64)
    samples = samples[: len(samples) // factor * factor].reshape(-1, factor).mean(axis=1)
    values = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(rate / factor))
        file.writeframes(values.tobytes())
    return buffer.getvalue()
