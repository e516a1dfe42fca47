"""Numbers as colours that can be told apart without colour vision: lightness alone carries the value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.explain.activations import Array

_RISING = ((12, 8, 38), (66, 24, 108), (150, 44, 102), (222, 92, 56), (250, 172, 48), (252, 250, 190))
_SIGNED = ((10, 62, 130), (116, 164, 214), (246, 246, 244), (230, 150, 84), (130, 52, 6))


def rising(values: Array, most: float | None = None) -> NDArray[np.uint8]:
    """(…, 3): 0 dark to `most` light, by default the largest value; what lies beyond is cut off."""
    most = float(values.max()) if most is None else most
    return _between(values / most if most > 0 else np.zeros_like(values), _RISING)


def signed(values: Array, most: float = 1.0) -> NDArray[np.uint8]:
    """(…, 3): −most dark blue, 0 white, most dark brown."""
    return _between(values / most / 2 + 0.5, _SIGNED)


def _between(shares: Array, stops: tuple[tuple[int, int, int], ...]) -> NDArray[np.uint8]:
    places = np.linspace(0.0, 1.0, len(stops))
    channels = [np.interp(np.clip(shares, 0.0, 1.0), places, column) for column in zip(*stops, strict=True)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def as_rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) of a picture with 1, 2, 3 or more channels: missing ones repeat the last."""
    channels = [min(number, picture.shape[-1] - 1) for number in range(3)]
    return picture[..., channels]


def over(picture: NDArray[np.uint8], values: Array, most: float | None = None) -> NDArray[np.uint8]:
    """(H, W, 3): a map (rows, cols) in colour, square by square, over the picture (H, W, c) in grey."""
    height, width = picture.shape[:2]
    down = np.arange(height) * values.shape[0] // height
    right = np.arange(width) * values.shape[1] // width
    grey = as_rgb(picture).mean(axis=-1, keepdims=True)
    mixed = 0.65 * rising(values, most)[down][:, right] + 0.35 * grey
    return np.round(mixed).astype(np.uint8)
