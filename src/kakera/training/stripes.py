"""SpecAugment (Park et al. 2019): a stripe of time and one of frequency are blanked in every spectrogram."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kakera import seeding
from kakera.data.batch import Batch


def striped(
    pictures: Float[Tensor, "b c H W"], batch: Batch, seed: int, *, bands: int, frames: int
) -> Float[Tensor, "b c H W"]:
    """Pictures in the model's units with 0, their mean, in up to `bands` rows and up to `frames` columns."""
    height, width = pictures.shape[-2:]
    draws = torch.from_numpy(seeding.uniform(seed, batch.epoch, batch.samples.numpy(), "stripes", 4))
    rows = stripe(draws[:, 0], draws[:, 1], min(bands, height), height)
    cols = stripe(draws[:, 2], draws[:, 3], min(frames, width), width)
    blank = rearrange(rows, "b H -> b 1 H 1") | rearrange(cols, "b W -> b 1 1 W")
    return pictures.masked_fill(blank.to(pictures.device), 0.0)


def stripe(size: Tensor, place: Tensor, most: int, length: int) -> Tensor:
    """(b, length) Bool: 0 to `most` neighbours, from two rows of numbers in [0, 1)."""
    wide = torch.floor(size * (most + 1))
    first = torch.floor(place * (length - wide + 1))
    spots = torch.arange(length)
    return (spots >= first[:, None]) & (spots < (first + wide)[:, None])
