"""Small sounds and the formulas of the log-mel spectrogram written out, in float64."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def noise(rate: int, seconds: float, level: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(int(rate * seconds)) * level).astype(np.float32)


def tone(rate: int, seconds: float, hertz: float, level: float = 0.5) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def speech(rate: int, seconds: float) -> NDArray[np.float32]:
    """A buzz of 120 Hz through three moving resonances, in syllables: what a voice does, roughly."""
    time = np.arange(int(rate * seconds)) / rate
    out = np.zeros_like(time)
    for harmonic in range(1, int(rate / 2 / 130)):
        pitch = 120 * (1 + 0.05 * np.sin(2 * np.pi * 3 * time))
        for centre, width in ((600, 90), (1300, 120), (2600, 200)):
            moved = centre * (1 + 0.3 * np.sin(2 * np.pi * 2 * time + centre))
            gain = 1 / (1 + ((harmonic * pitch - moved) / width) ** 2)
            out += gain * np.sin(harmonic * 2 * np.pi * np.cumsum(pitch) / rate)
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)
    return (0.3 * out * syllables / np.abs(out).max()).astype(np.float32)


def log_mel(
    wave: NDArray[np.float32],
    *,
    rate: int,
    bins: int,
    frame: int,
    hop: int,
    points: int,
    window: Array,
    low: float = 20.0,
    high: float = 0.0,
    preemphasis: float = 0.97,
    centred: bool = True,
    power: float = 2.0,
    floor: float = 1.1920929e-7,
) -> tuple[Array, Array]:
    """(bins, frames), and how far float32 may be from it, step by step as in Kaldi's documentation.

    A transform of n points is off by up to eps · log2(n) · ‖y‖ in each value (Higham 2002, theorem 24.2);
    centring, raising and windowing round as often again, hence the 2. A band of energy e = Σ w |Y|² moves
    by up to 2 |Y| δ Σ w + δ² Σ w, and its logarithm by that over e; sum and logarithm round, too.
    """
    count = 1 + (len(wave) - frame) // hop
    frames = np.stack([wave[i * hop : i * hop + frame].astype(np.float64) for i in range(count)])
    if centred:
        frames = frames - frames.mean(axis=1, keepdims=True)
    raised = frames.copy()
    for j in range(frame - 1, 0, -1):
        raised[:, j] = frames[:, j] - preemphasis * frames[:, j - 1]
    raised[:, 0] = frames[:, 0] * (1 - preemphasis)
    windowed = raised * window
    magnitudes = np.abs(np.fft.fft(windowed, points)[:, : points // 2 + 1])
    bank = filters(rate, bins, points, low, high or rate / 2)
    energies = magnitudes**power @ bank.T
    eps = np.finfo(np.float32).eps
    delta = 2 * eps * np.log2(points) * np.sqrt((windowed**2).sum(axis=1, keepdims=True))
    upper = ((magnitudes + delta) ** power) @ bank.T
    moved = np.log(np.maximum(upper, floor)) - np.log(np.maximum(energies, floor))
    return np.log(np.maximum(energies, floor)).T, moved.T + 100 * eps


def filters(rate: int, bins: int, points: int, low: float, high: float) -> Array:
    """Triangle by triangle, frequency by frequency."""

    def mel(hertz: float) -> float:
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    bank = np.zeros((bins, points // 2 + 1))
    step = (mel(high) - mel(low)) / (bins + 1)
    for row in range(bins):
        left, centre, right = (mel(low) + (row + i) * step for i in range(3))
        for col in range(points // 2 + 1):
            here = mel(col * rate / points)
            if left < here <= centre:
                bank[row, col] = (here - left) / (centre - left)
            elif centre < here < right:
                bank[row, col] = (right - here) / (right - centre)
    return bank
