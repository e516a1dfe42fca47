"""The likeness of two small pictures where one may be a crop of the other. Does not import torch.

The window of the larger picture is found by Gauss-Newton steps on four numbers, scale and shift of both axes
(Lucas and Kanade 1981, section 3; here forward, with contrast and brightness divided out). The likeness is
the correlation of the gradients of the two pictures: gradients differ much more between pictures of the same
kind of thing than grey values do.

A window is (scale, shift, scale, shift), across and down, for coordinates from −1 to 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SMALLEST = 0.4  # least width and height of a window, as a share of the picture
STEPS = 6
BLOCK = 256  # pairs at a time
DAMPING, LONGEST = 1e-2, 0.1  # of a step
TINY = 1e-9


def aligned(small: Array, large: Array, windows: Array, steps: int = STEPS) -> tuple[Array, Array]:
    """Return the likeness (m,) of small pictures to windows of large ones, and the best windows (m, 4).

    `small` and `large` are grey pictures (m, s, s). The search starts at `windows` (m, 4), and has so many
    steps.

    Example:

        >>> large = np.random.default_rng(0).integers(0, 256, (1, 8, 8)).repeat(4, 1).repeat(4, 2)
        >>> large = large.astype(np.float32)
        >>> truth = np.array([[0.9, 0.1, 0.9, 0]], np.float32)
        >>> start = np.array([[0.85, 0.1, 0.9, 0]], np.float32)
        >>> likeness, windows = aligned(warped(large, truth), large, start)
        >>> likeness.round(2), windows.round(2) + 0
        (array([1.], dtype=float32), array([[0.9, 0.1, 0.9, 0. ]], dtype=float32))
    """
    found, likeness = np.array(windows, np.float32), np.zeros(len(small), np.float32)
    for start in range(0, len(small), BLOCK):
        here = slice(start, start + BLOCK)
        one, other = small[here], large[here]
        for _ in range(steps):
            found[here] = _step(one, other, found[here])
        likeness[here] = gradient_correlation(one, warped(other, found[here]))
    return likeness, found


def gradient_correlation(first: Array, second: Array) -> Array:
    """Return the correlation (m,) of the gradients of pictures (m, s, s), −1 to 1; 0 for a flat picture.

    Example:

        >>> picture = np.arange(16, dtype=np.float32).reshape(1, 4, 4) ** 2
        >>> gradient_correlation(picture, 3 * picture + 5)
        array([1.], dtype=float32)
    """
    product, one, other = 0, 0, 0
    for axis in (1, 2):
        mine, theirs = np.diff(first, axis=axis), np.diff(second, axis=axis)
        product += np.einsum("mij,mij->m", mine, theirs)
        one, other = (
            one + np.einsum("mij,mij->m", mine, mine),
            other + np.einsum("mij,mij->m", theirs, theirs),
        )
    lengths = np.sqrt(one * other)
    return np.where(lengths > TINY, product / np.maximum(lengths, TINY), 0).astype(np.float32)


def warped(pictures: Array, windows: Array) -> Array:
    """Return the windows (m, 4) of pictures (m, s, s), enlarged to (m, s, s) by linear interpolation.

    Example:

        >>> picture = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
        >>> warped(picture, np.array([[0.5, 0.5, 1, 0]], np.float32))[0, 0]
        array([1. , 1.5, 2. ], dtype=float32)
    """
    count, side = len(pictures), pictures.shape[1]
    line = np.linspace(-1, 1, side, dtype=np.float32)
    places = [
        np.clip((windows[:, n, None] * line + windows[:, n + 1, None] + 1) * (side - 1) / 2, 0, side - 1)
        for n in (0, 2)
    ]
    lows = [np.minimum(place.astype(np.int64), side - 2) for place in places]
    (across, down), (left, top) = (
        [(place - low).astype(np.float32) for place, low in zip(places, lows, strict=True)],
        lows,
    )
    rows = np.arange(count)[:, None]
    # first along one axis, then along the other
    mixed = pictures[rows, top] * (1 - down)[:, :, None] + pictures[rows, top + 1] * down[:, :, None]
    columns = np.broadcast_to(left[:, None, :], (count, side, side))
    low, high = np.take_along_axis(mixed, columns, 2), np.take_along_axis(mixed, columns + 1, 2)
    return low + (high - low) * across[:, None, :]


def _step(small: Array, large: Array, windows: Array) -> Array:
    """Return windows after one damped Gauss-Newton step, kept inside of the picture."""
    count, side = small.shape[:2]
    seen = warped(large, windows)
    target, _ = _normed(small.reshape(count, -1))
    now, length = _normed(seen.reshape(count, -1))
    down, across = np.gradient(seen, 2 / (side - 1), axis=(1, 2))
    line = np.linspace(-1, 1, side, dtype=np.float32)
    across, down = across / windows[:, 0, None, None], down / windows[:, 2, None, None]
    slopes = np.stack([across * line, across, down * line[:, None], down], axis=1).reshape(count, 4, -1)
    slopes = (slopes - slopes.mean(axis=2, keepdims=True)) / length[:, :, None]
    slopes -= np.einsum("mkn,mn->mk", slopes, now)[:, :, None] * now[:, None, :]  # the length is divided out
    square = slopes @ slopes.transpose(0, 2, 1)
    square += np.eye(4, dtype=np.float32) * (
        DAMPING * np.trace(square, axis1=1, axis2=2)[:, None, None] / 4 + TINY
    )
    pull = np.einsum("mkn,mn->mk", slopes, target - now)
    moved = windows + np.clip(np.linalg.solve(square, pull[..., None])[..., 0], -LONGEST, LONGEST)
    scales = np.clip(moved[:, ::2], SMALLEST, 1)
    shifts = np.clip(moved[:, 1::2], scales - 1, 1 - scales)
    return np.stack([scales[:, 0], shifts[:, 0], scales[:, 1], shifts[:, 1]], axis=1).astype(np.float32)


def _normed(values: Array) -> tuple[Array, Array]:
    """Return values (m, n) with mean 0 and length 1, and the lengths (m, 1)."""
    centred = values - values.mean(axis=1, keepdims=True)
    length = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), TINY)
    return centred / length, length
