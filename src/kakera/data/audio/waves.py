"""Waveforms made different: turned around, louder or softer, noisier. (samples,) float32 in and out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]


def rolled(wave: Wave, most: int, noise: float) -> Wave:
    """Turned around by up to `most` samples each way (Huang et al. 2022, App. B); noise in [0, 1)."""
    return np.roll(wave, round((2 * noise - 1) * most))


def louder(wave: Wave, most: float, noise: float) -> Wave:
    """Up to `most` decibels louder or softer; noise in [0, 1)."""
    decibels = (2.0 * noise - 1.0) * most
    return wave * np.float32(np.power(10.0, decibels / 20.0))


def noisier(wave: Wave, most: float, noise: float, draws: Wave) -> Wave:
    """With up to `most` times its own root mean square of white noise, from normal `draws` (samples,)."""
    strength = float(np.sqrt(np.square(wave, dtype=np.float64).mean())) if len(wave) else 0.0
    return np.add(wave, np.float32(strength * most * noise) * draws, dtype=np.float32)
