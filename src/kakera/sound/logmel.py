"""The log-mel spectrogram of waveforms: frames, one real Fourier transform, one matrix product.

All that precedes the transform is linear in the frame, so it is done where it is cheapest: pre-emphasis once
on the waveform instead of in each overlapping frame, and a frame's mean m is taken out afterwards, as what
pre-emphasis leaves of a constant, m · (1 − preemphasis).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from kakera.errors import DataError
from kakera.sound.bank import filters, window
from kakera.sound.spec import SoundSpec

CACHED = 1 << 18  # samples that are worked on at a time on a CPU, so that their frames stay in its cache


class LogMel(nn.Module):
    """Waveforms to pictures, row 0 the lowest band. Plain operations on tensors: it exports."""

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
        """Natural logarithms of the bands' energies; samples are 1 at full scale.

        Computed in the waveforms' precision, which is that of the module. Where a band holds 10^-10 of its
        frame's energy, float32 knows its logarithm to about 1e-2. Raises DataError for less than a frame.
        """
        if waveforms.shape[-1] < self.spec.frame_samples:
            raise DataError(
                "waveform",
                got=f"{waveforms.shape[-1]} samples",
                expected=f"at least a frame of {self.spec.frame_samples}",
                do="give a longer recording, or zeros at its end",
            )
        bands = self.filters @ rearrange(self._spectrum(waveforms), "b frames points -> b points frames")
        return rearrange(bands.clamp_min(self.spec.floor).log(), "b bins frames -> b 1 bins frames")

    def in_parts(self, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b 1 bins frames"]:
        """The same of any number of waveforms, also none; on a CPU a few at a time. Raises DataError."""
        if not len(waveforms):  # the transform refuses none
            return waveforms.new_zeros(0, 1, self.spec.bins, self.spec.frames(waveforms.shape[-1]))
        if waveforms.device.type != "cpu":
            return self(waveforms)
        together = max(1, CACHED // max(1, waveforms.shape[-1]))
        return torch.cat([self(part) for part in waveforms.split(together)])

    def _framed(self, waveforms: Tensor) -> Tensor:
        """Windowed frames, (b, frames, frame)."""
        length, hop = self.spec.frame_samples, self.spec.hop_samples
        remainder = 1 - self.spec.preemphasis
        frames = waveforms.unfold(-1, length, hop)
        mean = frames.mean(dim=-1, keepdim=True) if self.spec.centred else torch.zeros_like(frames[..., :1])
        first, before, after = waveforms[..., :1], waveforms[..., :-1], waveforms[..., 1:]
        raised = torch.cat([first * remainder, after - self.spec.preemphasis * before], dim=-1)
        framed = (raised.unfold(-1, length, hop) - mean * remainder) * self.window
        if self.edge:  # the first sample of a frame is its own predecessor; most windows drop it anyway
            start = (frames[..., :1] - mean) * remainder * self.edge
            framed = torch.cat([start, framed[..., 1:]], dim=-1)
        return framed

    def _spectrum(self, waveforms: Tensor) -> Tensor:
        """Magnitudes to the power that is asked for, (b, frames, points / 2 + 1)."""
        transformed = torch.fft.rfft(self._framed(waveforms), self.spec.points)
        squares = torch.view_as_real(transformed).square()
        energy = squares[..., 0] + squares[..., 1]  # four times as fast as abs()
        return energy if self.spec.power == 2 else energy ** (self.spec.power / 2)


@lru_cache(maxsize=8)
def front_end(spec: SoundSpec, device: torch.device) -> LogMel:
    """The front end of a spec, made once a device."""
    return LogMel(spec).to(device)


@torch.no_grad()
def log_mel(waveforms: Float[Tensor, "b samples"], spec: SoundSpec) -> Float[Tensor, "b 1 bins frames"]:
    """`LogMel.in_parts`, its module made once a device. Raises DataError as it does."""
    return front_end(spec, waveforms.device).in_parts(waveforms)


def blank_after(
    pictures: Float[Tensor, "b c H frames"], frames: Int[Tensor, " b"], value: float
) -> Float[Tensor, "b c H frames"]:
    """The pictures with `value` in all columns from their own number of frames on."""
    columns = torch.arange(pictures.shape[-1], device=pictures.device)
    beyond = rearrange(columns, "w -> 1 1 1 w") >= rearrange(frames, "b -> b 1 1 1").to(
        pictures.device, non_blocking=True
    )
    return pictures.masked_fill(beyond, value)
