"""Augmentation of whole batches: RandAugment, erasing, mixup, cutmix. Drawn from (seed, step)."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from kakera import chance
from kakera.data.batch import Batch
from kakera.training.options import FinetuneOptions


def distort(
    pictures: Float[Tensor, "b c H W"], options: FinetuneOptions, step: int
) -> Float[Tensor, "b c H W"]:
    """RandAugment (Cubuk et al. 2020) and random erasing (Zhong et al. 2020) on values in 0 … 1."""
    if not options.randaugment and not options.erasing:
        return pictures
    from kornia.augmentation import RandomErasing
    from kornia.augmentation.auto import RandAugment

    channels = pictures.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(chance.key(options.seed, "distort", step))
        if options.randaugment:
            colour = pictures.expand(-1, 3, -1, -1) if channels == 1 else pictures
            pictures = RandAugment(n=2, m=round(options.randaugment))(colour).clamp(0, 1)[:, :channels]
        if options.erasing:
            pictures = RandomErasing(p=options.erasing, scale=(0.02, 1 / 3))(pictures)
    return pictures


def mix(
    pictures: Float[Tensor, "b ..."],
    targets: Float[Tensor, "b classes"],
    options: FinetuneOptions,
    step: int,
) -> tuple[Float[Tensor, "b ..."], Float[Tensor, "b classes"]]:
    """mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019), one of the two a batch, with its reverse."""
    choices = [name for name in ("mixup", "cutmix") if getattr(options, name)]
    if not choices or len(pictures) < 2:
        return pictures, targets
    draw = chance.generator(options.seed, "mix", step)
    name = choices[draw.integers(len(choices))]
    share = float(draw.beta(getattr(options, name), getattr(options, name)))
    if name == "mixup":
        mixed = share * pictures + (1 - share) * pictures.flip(0)
    else:
        height, width = pictures.shape[-2:]
        side = (1 - share) ** 0.5
        row, col = draw.integers(height), draw.integers(width)
        top, bottom = (int(min(max(row + s * side * height / 2, 0), height)) for s in (-1, 1))
        left, right = (int(min(max(col + s * side * width / 2, 0), width)) for s in (-1, 1))
        mixed = pictures.clone()
        mixed[..., top:bottom, left:right] = pictures.flip(0)[..., top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, share * targets + (1 - share) * targets.flip(0)


def mix_waves(
    batch: Batch, targets: Float[Tensor, "b classes"], options: FinetuneOptions
) -> tuple[Batch, Float[Tensor, "b classes"]]:
    """mixup of waveforms with the reverse of the batch; a mixture is as long as the longer of the two."""
    assert batch.lengths is not None
    if not options.mixup:
        return batch, targets
    waves, targets = mix(batch.pictures, targets, replace(options, cutmix=0.0), batch.step)
    lengths = torch.maximum(batch.lengths, batch.lengths.flip(0))
    return replace(batch, pictures=waves, lengths=lengths), targets
