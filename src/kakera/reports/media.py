"""Small versions of pictures and recordings, to stand inside a page."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 160  # pixels: longest side of a thumbnail
SMALL = 64  # pixels: up to here a PNG is smaller than a JPEG, and exact
SECONDS = 3.0  # of a recording
RATE = 16_000  # samples a second, at most about that many


def thumbnail(values: NDArray[np.uint8], side: int = SIDE) -> tuple[bytes, str]:
    """The bytes of a picture (H, W, 1 or 3), at most `side` pixels long, and their kind: png or jpeg."""
    picture = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    picture.thumbnail((side, side), Image.Resampling.BOX if side < SMALL else Image.Resampling.LANCZOS)
    return encoded(picture)


def encoded(picture: Image.Image, quality: int = 85) -> tuple[bytes, str]:
    """A PNG of a small picture, a JPEG of a larger one."""
    kind = "png" if max(picture.size) <= SMALL else "jpeg"
    buffer = io.BytesIO()
    options = {"optimize": True} if kind == "png" else {"quality": quality}
    picture.save(buffer, format=kind.upper(), **options)
    return buffer.getvalue(), kind


def sheet(png: bytes, most: int = 300_000, side: int = 1600) -> tuple[bytes, str]:
    """A PNG as it is where it has at most `most` bytes, else a JPEG at most `side` pixels long."""
    if len(png) <= most:
        return png, "png"
    with Image.open(io.BytesIO(png)) as picture:
        smaller = picture.convert("RGB")
    smaller.thumbnail((side, side))
    return encoded(smaller)


def wav(samples: NDArray[Any], rate: int, seconds: float = SECONDS) -> bytes:
    """A WAV file of the first `seconds` of a waveform (samples,), 1 at full scale, 16 bits, mono.

    High rates are lowered to about `RATE` by the mean of neighbours, which is good enough to recognise it.
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
