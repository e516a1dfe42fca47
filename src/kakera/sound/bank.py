"""Mel filters and windows as float64 arrays. This module does not import torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.sound.spec import SoundSpec, Window

Array = NDArray[np.float64]


def mel(hertz: Array | float) -> Array:
    """Return frequencies on the HTK mel scale: 1127 · ln(1 + f / 700), f in hertz (O'Shaughnessy 1987).

    Example:

        >>> round(float(mel(700.0)), 2)
        781.18
    """
    return 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0)


def hertz(mels: Array | float) -> Array:
    """Return frequencies in hertz from mel values: the inverse of `mel`.

    Example:

        >>> round(float(hertz(mel(440.0))), 6)
        440.0
    """
    return 700.0 * np.expm1(np.asarray(mels, dtype=np.float64) / 1127.0)


def edges(spec: SoundSpec) -> Array:
    """Return the band edges in hertz, (bins + 2,).

    Band i begins at edge i, has its peak at edge i + 1, and ends at edge i + 2.

    Example:

        >>> edges(SoundSpec(bins=4, low=20.0)).round().tolist()
        [20.0, 485.0, 1251.0, 2511.0, 4585.0, 8000.0]
    """
    return hertz(np.linspace(mel(spec.low), mel(spec.highest), spec.bins + 2))


def filters(spec: SoundSpec) -> Array:
    """Return the mel filters (bins, points / 2 + 1): triangles with height 1.

    A triangle rises and falls linearly in mel or hertz. It is 1 at the peak and 0 at the edges. A band
    narrower than the distance between two frequencies may contain no frequency; its row is then zero.

    Example:

        >>> filters(SoundSpec(bins=40)).shape
        (40, 257)
    """
    if spec.triangles == "hertz":
        low, peak, high = (edges(spec)[start : start + spec.bins, None] for start in range(3))
        frequencies = np.arange(spec.points // 2 + 1) * spec.rate / spec.points
        rising, falling = (frequencies - low) / (peak - low), (high - frequencies) / (high - peak)
        return np.maximum(0.0, np.minimum(rising, falling))
    marks = np.linspace(mel(spec.low), mel(spec.highest), spec.bins + 2)
    width = marks[1] - marks[0]
    frequencies = mel(np.arange(spec.points // 2 + 1) * spec.rate / spec.points)
    distance = np.abs(frequencies[None, :] - marks[1:-1, None]) / width
    return np.maximum(0.0, 1.0 - distance)


def window(name: Window, length: int) -> Array:
    """Return a window (length,), symmetric: its last value equals its first, except "periodic hann".

    Example:

        >>> window("hann", 5).round(3).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    turn = 2 * np.pi * np.arange(length) / (length - 1)
    match name:
        case "hann":
            return 0.5 - 0.5 * np.cos(turn)
        case "povey":
            return np.maximum(0.5 - 0.5 * np.cos(turn), 0.0) ** 0.85
        case "hamming":
            return 0.54 - 0.46 * np.cos(turn)
        case "blackman":
            return 0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn)
        case "rectangular":
            return np.ones(length)
        case "periodic hann":
            return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
