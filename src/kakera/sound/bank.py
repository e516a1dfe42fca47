"""Mel bands and windows, as arrays in float64. No torch here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.sound.spec import SoundSpec, Window

Array = NDArray[np.float64]


def mel(hertz: Array | float) -> Array:
    """The HTK scale: 1127 · ln(1 + f / 700) (O'Shaughnessy 1987)."""
    return 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0)


def hertz(mels: Array | float) -> Array:
    """The inverse of `mel`."""
    return 700.0 * np.expm1(np.asarray(mels, dtype=np.float64) / 1127.0)


def edges(spec: SoundSpec) -> Array:
    """Where bands begin, peak and end, in hertz, (bins + 2,): band i has the edges i, i + 1, i + 2."""
    return hertz(np.linspace(mel(spec.low), mel(spec.highest), spec.bins + 2))


def filters(spec: SoundSpec) -> Array:
    """(bins, points / 2 + 1): triangles that rise and fall linearly in mel, 1 at the peak, 0 at the edges.

    A band narrower than the distance of two frequencies may hold none: its row is zero.
    """
    marks = np.linspace(mel(spec.low), mel(spec.highest), spec.bins + 2)
    width = marks[1] - marks[0]
    frequencies = mel(np.arange(spec.points // 2 + 1) * spec.rate / spec.points)
    distance = np.abs(frequencies[None, :] - marks[1:-1, None]) / width
    return np.maximum(0.0, 1.0 - distance)


def window(name: Window, length: int) -> Array:
    """A symmetric window, (length,): its last value equals its first."""
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
