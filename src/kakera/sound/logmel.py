"""Log-mel spectrograms of waveforms: frames, one real Fourier transform, one matrix product.

All steps before the transform are linear, so each is done where it is cheapest. Pre-emphasis is applied once
to the waveform, and not in each overlapping frame. The mean m of a frame is subtracted afterwards, as the
value that pre-emphasis makes of a constant: m · (1 − preemphasis).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kakera.errors import DataError
from kakera.sound.bank import filters, window
from kakera.sound.spec import SoundSpec

CACHED = 1 << 18  # samples that a CPU processes at a time, so that their frames fit into its cache


class LogMel(nn.Module):
    """A module that turns waveforms into log-mel spectrograms, lowest mel band in row 0.

    It uses plain tensor operations only, so it can be exported.

    Example:

        >>> LogMel(SoundSpec(bins=40))(torch.zeros(1, 16_000)).shape
        torch.Size([1, 1, 40, 98])
    """

    def __init__(self, spec: SoundSpec, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.spec = spec
        self.window: Tensor
        self.filters: Tensor
        shape = window(spec.window, spec.frame_samples)
        self.edge = float(shape[0])
        self.register_buffer("window", torch.from_numpy(shape).to(dtype), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters(spec)).to(dtype), persistent=False)

    def forward(self, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b 1 bins frames"]:
        """Return the natural logarithms of band energies (b, 1, bins, frames) of waveforms (b, samples).

        Samples are 1 at full scale. The dtype of the waveforms must be that of the module. If a band has
        10^-10 of the energy of its frame, its logarithm in float32 is accurate to about 1e-2. Raises
        DataError for a waveform shorter than a frame.
        """
        if waveforms.shape[-1] < self.spec.frame_samples:
            raise DataError(
                "waveform",
                got=f"{waveforms.shape[-1]} samples",
                expected=f"at least a frame of {self.spec.frame_samples}",
                do="pass a longer recording, or add zeros at its end",
            )
        if self.spec.padded:
            half = self.spec.frame_samples // 2
            waveforms = functional.pad(waveforms, (half, half), mode="reflect")
        bands = self.filters @ rearrange(self._spectrum(waveforms), "b frames points -> b points frames")
        values = bands.clamp_min(self.spec.floor).log()
        if self.spec.top_db:
            least = values.amax(dim=(1, 2), keepdim=True) - self.spec.top_db * math.log(10) / 10
            values = torch.maximum(values, least)
        return rearrange(values, "b bins frames -> b 1 bins frames")

    def in_parts(self, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b 1 bins frames"]:
        """Return the same as `forward`; a CPU computes a few waveforms at a time, and the batch may be empty.

        Raises DataError for a waveform shorter than a frame.
        """
        if not len(waveforms):  # rfft raises an error for an empty batch
            return waveforms.new_zeros(0, 1, self.spec.bins, self.spec.frames(waveforms.shape[-1]))
        if waveforms.device.type != "cpu":
            return self(waveforms)
        together = max(1, CACHED // max(1, waveforms.shape[-1]))
        return torch.cat([self(part) for part in waveforms.split(together)])

    def _framed(self, waveforms: Tensor) -> Tensor:
        """Return windowed frames (b, frames, frame)."""
        length, hop = self.spec.frame_samples, self.spec.hop_samples
        remainder = 1 - self.spec.preemphasis
        frames = waveforms.unfold(-1, length, hop)
        mean = frames.mean(dim=-1, keepdim=True) if self.spec.centred else torch.zeros_like(frames[..., :1])
        first, before, after = waveforms[..., :1], waveforms[..., :-1], waveforms[..., 1:]
        raised = torch.cat([first * remainder, after - self.spec.preemphasis * before], dim=-1)
        framed = (raised.unfold(-1, length, hop) - mean * remainder) * self.window
        if self.edge:  # the first sample of a frame is its own predecessor; most windows are 0 there
            start = (frames[..., :1] - mean) * remainder * self.edge
            framed = torch.cat([start, framed[..., 1:]], dim=-1)
        return framed

    def _spectrum(self, waveforms: Tensor) -> Tensor:
        """Return magnitudes to the power of the spec, (b, frames, points / 2 + 1)."""
        transformed = torch.fft.rfft(self._framed(waveforms), self.spec.points)
        squares = torch.view_as_real(transformed).square()
        energy = squares[..., 0] + squares[..., 1]  # four times as fast as abs()
        return energy if self.spec.power == 2 else energy ** (self.spec.power / 2)


@lru_cache(maxsize=8)
def front_end(spec: SoundSpec, device: torch.device) -> LogMel:
    """Return the LogMel module of a spec on a device; it is cached.

    Example:

        >>> spec = SoundSpec(bins=40)
        >>> front_end(spec, torch.device("cpu")) is front_end(spec, torch.device("cpu"))
        True
    """
    return LogMel(spec).to(device)


@torch.no_grad()
def log_mel(waveforms: Float[Tensor, "b samples"], spec: SoundSpec) -> Float[Tensor, "b 1 bins frames"]:
    """Return the log-mel spectrograms (b, 1, bins, frames) of waveforms (b, samples), without gradients.

    The result is that of `LogMel.in_parts` with a cached module. Raises DataError for a waveform shorter than
    a frame.

    Example:

        >>> log_mel(torch.zeros(2, 16_000), SoundSpec(bins=40)).shape
        torch.Size([2, 1, 40, 98])
    """
    return front_end(spec, waveforms.device).in_parts(waveforms)


def blank_after(
    pictures: Float[Tensor, "b c H frames"], frames: Int[Tensor, " b"], value: float
) -> Float[Tensor, "b c H frames"]:
    """Return the pictures (b, c, H, W) with `value` in all columns after their number of `frames` (b,).

    Example:

        >>> blank_after(torch.zeros(1, 1, 1, 4), torch.tensor([3]), 9.0)
        tensor([[[[0., 0., 0., 9.]]]])
    """
    columns = torch.arange(pictures.shape[-1], device=pictures.device)
    beyond = rearrange(columns, "w -> 1 1 1 w") >= rearrange(frames, "b -> b 1 1 1").to(
        pictures.device, non_blocking=True
    )
    return pictures.masked_fill(beyond, value)
