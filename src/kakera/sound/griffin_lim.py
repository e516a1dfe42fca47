"""Estimate a waveform from a log-mel spectrogram, to listen to it; phases are estimated, and detail is lost.

First, the energies of the mel bands are spread over frequencies (non-negative factors, Lee and Seung 2001).
Then an iteration finds phases with which the frames are consistent: Griffin and Lim 1984, in the fast form of
Perraudin et al. 2013.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import Tensor

from kakera import seeding
from kakera.sound.bank import filters, window
from kakera.sound.spec import SoundSpec

SPREADINGS = (
    60  # rounds of the multiplicative update: the energies of noise are then within 0.1 %, on average
)
ROUNDS = 60
MOMENTUM = 0.99  # α, the value that Perraudin et al. chose
LEAST = 1e-2  # smallest divisor of samples near the ends, as a share of the largest sum of squared windows


def waveform(
    log_mel: Float[Tensor, "bins frames"],
    spec: SoundSpec,
    *,
    rounds: int = ROUNDS,
    momentum: float = MOMENTUM,
) -> NDArray[np.float32]:
    """Return a waveform whose log-mel spectrogram is close to `log_mel`.

    `log_mel` is (bins, frames), natural logarithm. The result is deterministic: float32 (samples,) at the
    sample rate of `spec`, within ±1. `rounds` is the number of iterations. `momentum` 0 gives the original
    algorithm of Griffin and Lim.

    Example:

        >>> spec = SoundSpec(bins=8)
        >>> waveform(torch.zeros(8, 5), spec, rounds=1).shape == (spec.samples(5),)
        True
    """
    sizes = magnitudes(log_mel.double().exp(), spec)
    frames = _Frames(spec, log_mel.shape[-1])
    draws = seeding.uniform(0, 0, range(len(sizes)), "phases", sizes.shape[-1])
    turned = torch.from_numpy(2 * np.pi * draws)
    last = moved = torch.polar(sizes, turned)
    for _ in range(rounds):
        fitting = frames.analyse(frames.synthesise(_with(sizes, moved)))
        moved = fitting + momentum * (fitting - last)
        last = fitting
    raised = frames.synthesise(_with(sizes, moved)).numpy()
    if spec.padded:  # half a frame before and after the recording
        raised = raised[spec.frame_samples // 2 :][: spec.samples(sizes.shape[-1])]
    samples = lfilter([1.0], [1.0, -spec.preemphasis], raised)
    # A high-pass filter: nothing is known about frequencies below the lowest band.
    below = np.exp(-2 * np.pi * spec.low / spec.rate)
    samples = lfilter([1.0, -1.0], [1.0, -below], samples) if spec.low else samples
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def magnitudes(energies: Float[Tensor, "bins frames"], spec: SoundSpec) -> Float[Tensor, "points frames"]:
    """Return the Fourier magnitudes (points / 2 + 1, frames) whose mel bands have these energies.

    `energies` is (bins, frames), not logarithmic. Frequencies outside of all bands get 0. The iteration x ← x
    · Fᵀ(e / Fx) / Fᵀ1 reduces the relative difference between Fx and e, and keeps x ≥ 0.

    Example:

        >>> magnitudes(torch.ones(8, 5, dtype=torch.float64), SoundSpec(bins=8)).shape
        torch.Size([257, 5])
    """
    bank = torch.from_numpy(filters(spec))
    weight = bank.sum(dim=0).unsqueeze(1)
    guess = (bank.T @ energies) * (weight > 0)
    tiny = torch.finfo(torch.float64).tiny
    for _ in range(SPREADINGS):
        guess = guess * (bank.T @ (energies / (bank @ guess).clamp_min(tiny))) / weight.clamp_min(tiny)
    return guess ** (1 / spec.power)


class _Frames:
    """The conversions between a waveform and the Fourier transforms of its frames."""

    def __init__(self, spec: SoundSpec, count: int) -> None:
        self.spec, self.samples = spec, spec.frame_samples + (count - 1) * spec.hop_samples
        self.window = torch.from_numpy(window(spec.window, spec.frame_samples))
        squares = self._added(self.window.square().expand(count, -1))
        self.weight = squares.clamp_min(LEAST * float(squares.max()))

    def analyse(self, wave: Float[Tensor, " samples"]) -> Complex[Tensor, "points frames"]:
        """Return the transforms of the windowed frames."""
        frames = wave.unfold(-1, self.spec.frame_samples, self.spec.hop_samples) * self.window
        return torch.fft.rfft(frames, self.spec.points).T

    def synthesise(self, transforms: Complex[Tensor, "points frames"]) -> Float[Tensor, " samples"]:
        """Return the waveform whose transforms are nearest to these (Griffin and Lim, eq. 6)."""
        frames = torch.fft.irfft(transforms.T, self.spec.points)[:, : self.spec.frame_samples]
        return self._added(frames * self.window) / self.weight

    def _added(self, frames: Float[Tensor, "frames length"]) -> Float[Tensor, " samples"]:
        """Return the sum of the frames, each one a hop after the frame before it."""
        size, hop = (1, self.samples), (1, self.spec.hop_samples)
        shape = (1, self.spec.frame_samples)
        return torch.nn.functional.fold(frames.T.unsqueeze(0), size, shape, stride=hop).flatten()


def _with(sizes: Tensor, transforms: Tensor) -> Tensor:
    """Return transforms with the magnitudes `sizes` and the phases of `transforms`."""
    return torch.polar(sizes, transforms.angle())
