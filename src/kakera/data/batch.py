"""What training is given at a time, and how its samples are drawn anew each epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kakera.errors import UnreadableFileError


@dataclass(frozen=True)
class Augmentation:
    """Of pictures the share of a random-size crop, a shift in pixels, a mirror; of recordings the rest.

    A recording is turned around by up to `roll` seconds, made louder or softer by up to `gain` decibels, and
    given white noise of up to `noise` times its own root mean square.
    """

    crop: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    shift: int = 0
    flip: bool = False
    roll: float = 0.0
    gain: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Pictures (b, c, H, W) uint8; labels int64 (b,) or float (b, classes); numbers of the samples (b,).

    Of recordings `pictures` are waveforms (b, samples), zero from `lengths` (b,) on, and `starts` (b,) says
    where in the recording each begins, all in samples.
    """

    pictures: Tensor
    labels: Tensor | None
    samples: Tensor
    epoch: int
    step: int
    unreadable: tuple[UnreadableFileError, ...] = ()
    lengths: Tensor | None = None
    starts: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """What the model works on, moved; numbers of samples stay."""
        return replace(
            self,
            pictures=self.pictures.to(device),
            labels=None if self.labels is None else self.labels.to(device),
            lengths=None if self.lengths is None else self.lengths.to(device),
        )
