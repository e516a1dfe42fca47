"""Augmentation of whole batches: RandAugment, random erasing, mixup, CutMix, SpecAugment.

The random numbers depend only on (seed, step), or on (seed, epoch, sample) for SpecAugment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from kakera import seeding
from kakera.data.batch import Batch
from kakera.data.images.decode import GREY_OR_COLOUR
from kakera.training.options import FinetuneOptions

# RandAugment for pictures with other than 1 or 3 channels: kornia's geometric operations only, because its
# colour operations need RGB.
MOVES: list[Any] = [
    [("rotate", -30.0, 30.0)],
    [("shear_x", -0.3, 0.3)],
    [("shear_y", -0.3, 0.3)],
    [("translate_x", -0.1, 0.1)],
    [("translate_y", -0.1, 0.1)],
]


def distort(
    pictures: Float[Tensor, "b c H W"],
    options: FinetuneOptions,
    step: int,
    places: tuple[Tensor, int] | None = None,
) -> Float[Tensor, "b c H W"]:
    """Apply RandAugment (Cubuk et al. 2020) and random erasing (Zhong et al. 2020) to values in 0 … 1.

    Pictures with other than 1 or 3 channels get only geometric operations. `places` are the rows (b,) of
    these pictures in the whole batch of `step`, and the size of that batch. With it, the random numbers are
    the same as for the whole batch.

    Example:

        >>> options = FinetuneOptions("", randaugment=9.0, random_erasing=0.25)
        >>> distort(torch.rand(2, 3, 8, 8), options, step=0).shape
        torch.Size([2, 3, 8, 8])
    """
    if not options.randaugment and not options.random_erasing:
        return pictures
    from kornia.augmentation import RandomErasing
    from kornia.augmentation.auto import RandAugment

    channels = pictures.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.key(options.seed, "distort", step))
        if options.randaugment:
            colour = pictures.expand(-1, 3, -1, -1) if channels == 1 else pictures
            moves = None if channels in GREY_OR_COLOUR else MOVES
            kind = RandAugment(n=2, m=round(options.randaugment), policy=moves)
            pictures = _drawn(kind, colour, places).clamp(0, 1)[:, :channels]
        if options.random_erasing:
            pictures = _drawn(RandomErasing(p=options.random_erasing, scale=(0.02, 1 / 3)), pictures, places)
    return pictures


def _drawn(kind: Any, pictures: Tensor, places: tuple[Tensor, int] | None) -> Tensor:
    """Apply an augmentation of kornia with the random numbers of the whole batch."""
    if places is None or len(places[0]) == places[1]:
        return kind(pictures)
    rows, whole = places
    draws = kind.forward_parameters(torch.Size((whole, *pictures.shape[1:])))
    return kind(pictures, params=_rows_of(draws, rows, whole))


def _rows_of(draws: Any, rows: Tensor, whole: int) -> Any:
    """Return the parameters of kornia (lists of dictionaries of tensors) for some rows of a batch."""
    if isinstance(draws, list):
        return [item._replace(data=_rows_of(item.data, rows, whole)) for item in draws]
    return {
        name: torch.tensor((len(rows), *value[1:].tolist()))
        if name == "forward_input_shape"
        else value[rows]
        if value.ndim and len(value) == whole
        else value
        for name, value in draws.items()
    }


def mix(
    pictures: Float[Tensor, "b ..."],
    targets: Float[Tensor, "b classes"],
    options: FinetuneOptions,
    step: int,
    partners: Int[Tensor, " b"] | None = None,
) -> tuple[Float[Tensor, "b ..."], Float[Tensor, "b classes"]]:
    """Apply mixup (Zhang et al. 2018) or CutMix (Yun et al. 2019), one of the two per step.

    Sample i is mixed with sample `partners[i]`, by default with the batch in reverse order. Returns pictures
    and soft targets. Options of 0 turn mixup or CutMix off.

    Example:

        >>> pictures, targets = torch.zeros(2, 1, 4, 4), torch.eye(2)
        >>> mixed, soft = mix(pictures, targets, FinetuneOptions("", mixup=0.8, cutmix=0.0), step=0)
        >>> mixed.shape, soft.sum(dim=1)
        (torch.Size([2, 1, 4, 4]), tensor([1., 1.]))
    """
    choices = [name for name in ("mixup", "cutmix") if getattr(options, name)]
    if not choices:
        return pictures, targets
    if partners is None:
        partners = torch.arange(len(pictures)).flip(0)
    partners = partners.to(pictures.device)
    others, their_targets = pictures[partners], targets[partners]
    draw = seeding.generator(options.seed, "mix", step)
    name = choices[draw.integers(len(choices))]
    share = float(draw.beta(getattr(options, name), getattr(options, name)))
    if name == "mixup":
        mixed = share * pictures + (1 - share) * others
    else:
        height, width = pictures.shape[-2:]
        side = (1 - share) ** 0.5
        row, col = draw.integers(height), draw.integers(width)
        top, bottom = (int(min(max(row + s * side * height / 2, 0), height)) for s in (-1, 1))
        left, right = (int(min(max(col + s * side * width / 2, 0), width)) for s in (-1, 1))
        mixed = pictures.clone()
        mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, share * targets + (1 - share) * their_targets


def mix_waves(
    batch: Batch, targets: Float[Tensor, "b classes"], options: FinetuneOptions
) -> tuple[Batch, Float[Tensor, "b classes"]]:
    """Apply mixup to waveforms, with the batch in reverse order.

    A mixed waveform is as long as the longer of the two. `batch.lengths` are the lengths in samples.

    Example:

        >>> lengths = torch.tensor([8, 4])
        >>> batch = Batch(torch.zeros(2, 8), None, torch.arange(2), epoch=0, step=0, lengths=lengths)
        >>> mixed, _ = mix_waves(batch, torch.eye(2), FinetuneOptions(""))
        >>> mixed.lengths
        tensor([8, 8])
    """
    assert batch.lengths is not None
    if not options.mixup:
        return batch, targets
    partners = batch.partners
    waves, targets = mix(batch.pictures, targets, replace(options, cutmix=0.0), batch.step, partners)
    lengths = torch.maximum(batch.lengths, batch.lengths[partners.to(batch.lengths.device)])
    return replace(batch, pictures=waves, lengths=lengths), targets


def time_freq_masked(
    pictures: Float[Tensor, "b c H W"], batch: Batch, seed: int, *, bands: int, frames: int
) -> Float[Tensor, "b c H W"]:
    """Mask up to `bands` rows and up to `frames` columns of spectrograms with 0, the mean (SpecAugment).

    `pictures` (b, c, H, W) are normalised. The random numbers depend on (seed, epoch, sample).

    Example:

        >>> batch = Batch(torch.zeros(1, 8), None, torch.tensor([0]), epoch=0, step=0)
        >>> time_freq_masked(torch.ones(1, 1, 4, 6), batch, seed=0, bands=2, frames=3).shape
        torch.Size([1, 1, 4, 6])
    """
    height, width = pictures.shape[-2:]
    draws = torch.from_numpy(seeding.uniform(seed, batch.epoch, batch.samples.numpy(), "stripes", 4))
    rows = mask_stripes(draws[:, 0], draws[:, 1], min(bands, height), height)
    cols = mask_stripes(draws[:, 2], draws[:, 3], min(frames, width), width)
    blank = rearrange(rows, "b H -> b 1 H 1") | rearrange(cols, "b W -> b 1 1 W")
    return pictures.masked_fill(blank.to(pictures.device), 0.0)


def mask_stripes(size: Tensor, place: Tensor, most: int, length: int) -> Tensor:
    """Return a mask, Bool (b, length), with one stripe of 0 to `most` neighbouring True values per row.

    `size` (b,) and `place` (b,) are numbers in [0, 1) that choose width and position of the stripe.

    Example:

        >>> mask_stripes(torch.tensor([0.9]), torch.tensor([0.0]), most=2, length=4).tolist()
        [[True, True, False, False]]
    """
    wide = torch.floor(size * (most + 1))
    first = torch.floor(place * (length - wide + 1))
    spots = torch.arange(length)
    return (spots >= first[:, None]) & (spots < (first + wide)[:, None])
