"""Colour maps for readers without colour vision: lightness alone shows the value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.explain.activations import Array

_RISING = ((12, 8, 38), (66, 24, 108), (150, 44, 102), (222, 92, 56), (250, 172, 48), (252, 250, 190))
_SIGNED = ((10, 62, 130), (116, 164, 214), (246, 246, 244), (230, 150, 84), (130, 52, 6))


def rising(values: Array, most: float | None = None) -> NDArray[np.uint8]:
    """Return colours (…, 3), uint8, from dark for 0 to light for `most`, by default the largest value.

    Values outside of 0 … `most` get the colour of the nearer end.

    Example:

        >>> rising(np.array([0.0, 1.0])).tolist()
        [[12, 8, 38], [252, 250, 190]]
    """
    most = float(values.max()) if most is None else most
    return _between(values / most if most > 0 else np.zeros_like(values), _RISING)


def signed(values: Array, most: float = 1.0) -> NDArray[np.uint8]:
    """Return colours (…, 3), uint8: dark blue for −`most`, white for 0, dark brown for `most`.

    Example:

        >>> signed(np.array([0.0])).tolist()
        [[246, 246, 244]]
    """
    return _between(values / most / 2 + 0.5, _SIGNED)


def _between(shares: Array, stops: tuple[tuple[int, int, int], ...]) -> NDArray[np.uint8]:
    places = np.linspace(0.0, 1.0, len(stops))
    channels = [np.interp(np.clip(shares, 0.0, 1.0), places, column) for column in zip(*stops, strict=True)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def as_rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) from one with 1, 2, 3 or more channels; missing channels repeat the last.

    Example:

        >>> as_rgb(np.zeros((2, 2, 1), np.uint8)).shape
        (2, 2, 3)
    """
    channels = [min(number, picture.shape[-1] - 1) for number in range(3)]
    return picture[..., channels]


def over(picture: NDArray[np.uint8], values: Array, most: float | None = None) -> NDArray[np.uint8]:
    """Return a map (rows, cols) in colour over the picture (H, W, c) in grey, as (H, W, 3), uint8.

    Each cell of the map covers a rectangle of the picture. `most` is the value with the lightest colour.

    Example:

        >>> over(np.zeros((4, 4, 1), np.uint8), np.eye(2)).shape
        (4, 4, 3)
    """
    height, width = picture.shape[:2]
    down = np.arange(height) * values.shape[0] // height
    right = np.arange(width) * values.shape[1] // width
    grey = as_rgb(picture).mean(axis=-1, keepdims=True)
    mixed = 0.65 * rising(values, most)[down][:, right] + 0.35 * grey
    return np.round(mixed).astype(np.uint8)
