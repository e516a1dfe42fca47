"""Colour maps for readers without colour vision: CIE L* rises in proportion to the value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.explain.activations import Array

# Stops with equal steps of L*, from 10 to 97 and from 14 to 96; tests/explain/test_colour.py measures them.
_RISING = (
    (28, 17, 73),
    (74, 24, 109),
    (130, 26, 124),
    (188, 29, 118),
    (233, 61, 94),
    (255, 112, 65),
    (255, 166, 54),
    (253, 211, 94),
    (255, 248, 191),
)
_SIGNED = (
    (0, 37, 69),
    (1, 59, 106),
    (1, 85, 133),
    (68, 110, 141),
    (132, 132, 132),
    (187, 152, 110),
    (233, 176, 85),
    (255, 208, 104),
    (255, 244, 199),
)
DETAIL = 0.25  # difference of the picture inside a cell, as a share of the scale, for black beside white


def rising(values: Array, most: float | None = None) -> NDArray[np.uint8]:
    """Return colours (…, 3), uint8, from dark for 0 to light for `most`, by default the largest value.

    Values outside of 0 … `most` get the colour of the nearer end.

    Example:

        >>> rising(np.array([0.0, 1.0])).tolist()
        [[28, 17, 73], [255, 248, 191]]
    """
    most = float(values.max()) if most is None else most
    return _between(values / most if most > 0 else np.zeros_like(values), _RISING)


def signed(values: Array, most: float = 1.0) -> NDArray[np.uint8]:
    """Return colours (…, 3), uint8: dark blue for −`most`, grey for 0, light yellow for `most`.

    Example:

        >>> signed(np.array([0.0])).tolist()
        [[132, 132, 132]]
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
    """Return a map (rows, cols) in colour with the details of a picture (H, W, c), as (H, W, 3), uint8.

    Each cell of the map covers a rectangle of the picture. Inside a cell, lighter pixels of the picture have
    lighter colours of the same scale. The mean over a cell is the lightness of its value, so a light picture
    does not look like a large value. Cells near the ends of the scale show less of the picture. `most` is the
    value with the lightest colour.

    Example:

        >>> over(np.zeros((4, 4, 1), np.uint8), np.eye(2)).shape
        (4, 4, 3)
    """
    most = float(values.max()) if most is None else most
    shares = np.clip(values / most if most > 0 else np.zeros_like(values), 0.0, 1.0)
    rows, cols = values.shape
    down = np.arange(picture.shape[0]) * rows // picture.shape[0]
    right = np.arange(picture.shape[1]) * cols // picture.shape[1]
    cells = down[:, None] * cols + right
    grey = as_rgb(picture).mean(axis=-1) / 255
    sizes = np.bincount(cells.ravel(), minlength=values.size)
    detail = grey - (np.bincount(cells.ravel(), grey.ravel(), values.size) / sizes)[cells]
    largest = np.zeros(values.size)
    np.maximum.at(largest, cells, np.abs(detail))
    room = np.minimum(shares, 1 - shares).reshape(-1)
    amount = np.minimum(DETAIL, room / np.maximum(largest, 1e-9))
    return rising(shares.reshape(-1)[cells] + amount[cells] * detail, 1.0)
