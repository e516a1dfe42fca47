"""From a log-mel spectrogram back to something that can be heard: phases are estimated, detail is gone.

Bands are spread over frequencies (non-negative factors, Lee and Seung 2001), then phases are looked for with
which the frames fit together: Griffin and Lim 1984, in the fast form of Perraudin et al. 2013.
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
    60  # rounds of the multiplicative update: bands of noise are then met to 0.1 per cent, on average
)
ROUNDS = 60
MOMENTUM = 0.99  # α of Perraudin et al., their choice
LEAST = 1e-2  # share of the windows' largest sum of squares that a sample near the ends is divided by


def waveform(
    log_mel: Float[Tensor, "bins frames"],
    spec: SoundSpec,
    *,
    rounds: int = ROUNDS,
    momentum: float = MOMENTUM,
) -> NDArray[np.float32]:
    """(samples,) at the spec's rate, within ±1, whose log-mel spectrogram is about the given one.

    The same for the same input; `momentum` 0 is the algorithm of Griffin and Lim itself.
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
    heard = lfilter([1.0], [1.0, -spec.preemphasis], raised)
    below = np.exp(-2 * np.pi * spec.low / spec.rate)  # what no band hears is not known, and not kept
    heard = lfilter([1.0, -1.0], [1.0, -below], heard) if spec.low else heard
    return np.clip(heard, -1.0, 1.0).astype(np.float32)


def magnitudes(energies: Float[Tensor, "bins frames"], spec: SoundSpec) -> Float[Tensor, "points frames"]:
    """Magnitudes of the Fourier transform whose bands have these energies, 0 where no band hears.

    x ← x · Fᵀ(e / Fx) / Fᵀ1 brings Fx towards e in relative terms, and keeps x ≥ 0.
    """
    bank = torch.from_numpy(filters(spec))
    heard = bank.sum(dim=0).unsqueeze(1)
    guess = (bank.T @ energies) * (heard > 0)
    tiny = torch.finfo(torch.float64).tiny
    for _ in range(SPREADINGS):
        guess = guess * (bank.T @ (energies / (bank @ guess).clamp_min(tiny))) / heard.clamp_min(tiny)
    return guess ** (1 / spec.power)


class _Frames:
    """Between a waveform and the transforms of its frames."""

    def __init__(self, spec: SoundSpec, count: int) -> None:
        self.spec, self.samples = spec, spec.samples(count)
        self.window = torch.from_numpy(window(spec.window, spec.frame_samples))
        squares = self._added(self.window.square().expand(count, -1))
        self.weight = squares.clamp_min(LEAST * float(squares.max()))

    def analyse(self, wave: Float[Tensor, " samples"]) -> Complex[Tensor, "points frames"]:
        """The transforms of the windowed frames."""
        frames = wave.unfold(-1, self.spec.frame_samples, self.spec.hop_samples) * self.window
        return torch.fft.rfft(frames, self.spec.points).T

    def synthesise(self, transforms: Complex[Tensor, "points frames"]) -> Float[Tensor, " samples"]:
        """The waveform whose transforms are nearest (Griffin and Lim, eq. 6)."""
        frames = torch.fft.irfft(transforms.T, self.spec.points)[:, : self.spec.frame_samples]
        return self._added(frames * self.window) / self.weight

    def _added(self, frames: Float[Tensor, "frames length"]) -> Float[Tensor, " samples"]:
        """Frames laid over each other, each a hop after the one before."""
        size, hop = (1, self.samples), (1, self.spec.hop_samples)
        shape = (1, self.spec.frame_samples)
        return torch.nn.functional.fold(frames.T.unsqueeze(0), size, shape, stride=hop).flatten()


def _with(sizes: Tensor, transforms: Tensor) -> Tensor:
    """The phases of the transforms with other magnitudes."""
    return torch.polar(sizes, transforms.angle())
