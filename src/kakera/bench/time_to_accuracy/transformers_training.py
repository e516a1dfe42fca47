"""Pretraining of ViTMAE of transformers with the recipe of the MAE paper: a program for a child process.

It imports nothing of kakera, so it pays for its own start only. Its argument is a JSON file with the fields
of `TransformersJob`. The folder `out` receives a model in the format of transformers, of which kakera reads
the encoder.

ViTMAE needs square patches. A patch of 16 x 8 pixels is passed as two channels of 8 x 8: a linear layer reads
the same numbers in another order. The order is changed back before the model is saved.
"""

from __future__ import annotations

import json
import math
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

WARMUP = 0.05  # share of the steps, 40 of 800 epochs in the paper
DECIBEL = math.log(10) / 10  # change of a natural logarithm of an energy for one decibel


@dataclass(frozen=True)
class TransformersJob:
    """The arguments of one training."""

    arrays: str
    out: str
    config: dict[str, Any]
    size: tuple[int, int]
    patch: tuple[int, int]
    channels: int
    scale: float
    epochs: float
    seed: int
    batch_size: int
    lr: float
    bf16: bool
    crop_min_scale: float = 1.0
    flip: bool = False
    gain: float = 0.0


class Batches:
    """Random batches of normalised pictures or spectrograms, with the augmentation of the job."""

    def __init__(self, job: TransformersJob, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        self.job, self.sizes = job, arrays["sizes"]
        self.values = torch.from_numpy(arrays["values"])
        lengths = self.sizes.prod(axis=1) * job.channels
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.mean, self.std = (torch.from_numpy(arrays[each])[:, None, None] for each in ("mean", "std"))
        self.equal = job.crop_min_scale == 1.0 and not self.is_sound
        self.random = np.random.default_rng(job.seed)

    @property
    def is_sound(self) -> bool:
        """True for spectrograms, which are floating-point numbers."""
        return self.values.is_floating_point()

    def epoch(self) -> list[np.ndarray[Any, Any]]:
        """Return the rows of each batch of one epoch, in a random order; the rest is left out."""
        size, order = min(self.job.batch_size, len(self.sizes)), self.random.permutation(len(self.sizes))
        return [order[begin : begin + size] for begin in range(0, len(order) - size + 1, size)]

    def read(self, rows: np.ndarray[Any, Any]) -> Tensor:
        """Return normalised inputs (b, c, H, W)."""
        job = self.job
        if self.equal:
            whole = self.values.reshape(len(self.sizes), job.channels, *job.size)
            pictures = whole[torch.from_numpy(rows)]
        else:
            pictures = torch.stack([self._piece(row) for row in rows.tolist()])
        if job.flip:
            turned = torch.from_numpy(self.random.random(len(rows)) < 0.5)
            pictures = torch.where(turned[:, None, None, None], pictures.flip(-1), pictures)
        return ((pictures / job.scale) - self.mean) / self.std

    def _piece(self, row: int) -> Tensor:
        height, width = self.sizes[row].tolist()
        whole = self.values[self.starts[row] : self.starts[row + 1]].reshape(self.job.channels, height, width)
        return self._window(whole) if self.is_sound else self._crop(whole)

    def _window(self, whole: Tensor) -> Tensor:
        """Return a random window, made louder or quieter; short recordings are filled up with the mean."""
        spare = whole.shape[2] - self.job.size[1]
        begin = int(self.random.integers(max(spare, 0) + 1))
        louder = DECIBEL * self.job.gain * (2 * self.random.random() - 1)
        window = whole[:, :, begin : begin + self.job.size[1]] + louder
        blank = self.mean.expand(-1, whole.shape[1], max(-spare, 0))
        return torch.cat([window, blank], dim=2)

    def _crop(self, whole: Tensor) -> Tensor:
        """Return a random-size crop with an aspect ratio from 3/4 to 4/3, resized to the input."""
        height, width = whole.shape[1:]
        high, wide = height, width
        for _ in range(10):
            area = height * width * self.random.uniform(self.job.crop_min_scale, 1.0)
            ratio = math.exp(self.random.uniform(math.log(3 / 4), math.log(4 / 3)))
            high, wide = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < high <= height and 0 < wide <= width:
                break
        else:
            high = wide = min(height, width)
        top, left = (int(self.random.integers(spare + 1)) for spare in (height - high, width - wide))
        part = whole[None, :, top : top + high, left : left + wide]
        return interpolate(part, self.job.size, mode="bicubic", antialias=True)[0]


def square(pictures: Tensor, patch: tuple[int, int]) -> Tensor:
    """Return pictures (b, c, H, W) whose patches are square: the parts of a patch become channels.

    Example:

        >>> square(torch.zeros(2, 1, 80, 320), (16, 8)).shape
        torch.Size([2, 2, 40, 320])
    """
    side = math.gcd(*patch)
    b, c, high, wide = pictures.shape
    down, across = patch[0] // side, patch[1] // side
    parts = pictures.reshape(b, c, high // patch[0], down, side, wide // patch[1], across, side)
    return parts.permute(0, 1, 3, 6, 2, 4, 5, 7).reshape(b, c * down * across, high // down, wide // across)


def patch_weights(weights: Tensor, patch: tuple[int, int]) -> Tensor:
    """Return the weights (d, c, height, width) of whole patches from those of square patches.

    Example:

        >>> patch_weights(torch.zeros(64, 2, 8, 8), (16, 8)).shape
        torch.Size([64, 1, 16, 8])
    """
    side = math.gcd(*patch)
    down, across = patch[0] // side, patch[1] // side
    parts = weights.reshape(len(weights), -1, down, across, side, side)
    return parts.permute(0, 1, 2, 4, 3, 5).reshape(len(weights), -1, *patch)


def network(job: TransformersJob, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """Return ViTMAE with the sine and cosine positions of its grid, which need not be square."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    side, count = math.gcd(*job.patch), len(arrays["positions"]) - 1
    around = math.ceil(math.sqrt(count))
    parts = job.patch[0] * job.patch[1] // side**2
    config = ViTMAEConfig(
        **job.config, image_size=around * side, patch_size=side, num_channels=job.channels * parts
    )
    model: Any = ViTMAEForPreTraining(config)
    embeddings, decoder = model.vit.embeddings, model.decoder
    embeddings.position_embeddings = table(arrays["positions"])
    decoder.decoder_pos_embed = table(arrays["decoder_positions"])
    down, across = job.patch[0] // side, job.patch[1] // side
    embeddings.image_size = (job.size[0] // down, job.size[1] // across)
    embeddings.patch_embeddings.image_size = embeddings.image_size
    embeddings.patch_embeddings.num_patches = count
    return model


def table(positions: np.ndarray[Any, Any]) -> torch.nn.Parameter:
    """Return a position table (1, 1 + n, d) that is not trained."""
    return torch.nn.Parameter(torch.from_numpy(positions)[None], requires_grad=False)


def loss_of_parts(model: Any, pictures: Tensor) -> Tensor:
    """Return the loss on the hidden patches of pictures (b, c, H, W), which need not be square.

    The class accepts only square pictures, or it resizes the positions. So its parts are called one after
    another, as the class itself does for square pictures.
    """
    encoded, config = model.vit(pictures), model.config
    predicted = model.decoder(encoded.last_hidden_state, encoded.ids_restore).logits
    b, c, height, width = pictures.shape
    side = config.patch_size
    parts = pictures.reshape(b, c, height // side, side, width // side, side)
    target = parts.permute(0, 2, 4, 3, 5, 1).reshape(predicted.shape)
    if config.norm_pix_loss:
        variance = target.var(dim=-1, keepdim=True)
        target = (target - target.mean(dim=-1, keepdim=True)) / (variance + 1e-6).sqrt()
    error = (predicted - target).square().mean(dim=-1)
    return (error * encoded.mask).sum() / encoded.mask.sum()


def optimizer(model: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
    """Return AdamW of the MAE paper (App. A.1): betas 0.9 and 0.95, weight decay 0.05 on matrices only."""
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    matrices = [each for name, each in trained if each.ndim > 1 and "token" not in name]
    others = [each for name, each in trained if each.ndim <= 1 or "token" in name]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True)


def peak_ratio(step: int, steps: int) -> float:
    """Return the learning rate as a share of its peak: linear warm-up, then half a cosine.

    Example:

        >>> [round(peak_ratio(step, 100), 2) for step in (0, 5, 100)]
        [0.0, 1.0, 0.0]
    """
    warm = WARMUP * steps
    if step < warm:
        return step / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def train(job: TransformersJob) -> None:
    """Run the training, and save the model in the format of transformers."""
    torch.manual_seed(job.seed)
    with np.load(job.arrays) as file:
        arrays = dict(file)
    batches, model = Batches(job, arrays), network(job, arrays)
    rule = optimizer(model.train(), job.lr)
    rows = batches.epoch()
    steps, each = max(1, round(job.epochs * len(rows))), len(rows)
    is_square = job.size[0] == job.size[1] and job.patch[0] == job.patch[1]
    for step in range(steps):
        if step and step % each == 0:
            rows = batches.epoch()
        for group in rule.param_groups:
            group["lr"] = job.lr * peak_ratio(step + 1, steps)
        pictures = square(batches.read(rows[step % each]), job.patch)
        with torch.autocast("cpu", dtype=torch.bfloat16) if job.bf16 else nullcontext():
            loss = model(pictures).loss if is_square else loss_of_parts(model, pictures)
        loss.backward()
        rule.step()
        rule.zero_grad()
    save(model, job)


def save(model: Any, job: TransformersJob) -> None:
    """Write the model with whole patches, and with the size of its input."""
    from safetensors.torch import save_file

    out = Path(job.out)
    out.mkdir(parents=True)
    sides = {"image_size": job.size, "patch_size": job.patch}
    whole = {name: each[0] if each[0] == each[1] else each for name, each in sides.items()}
    config = {**model.config.to_dict(), **whole}
    config |= {"num_channels": job.channels, "architectures": ["ViTMAEForPreTraining"]}
    (out / "config.json").write_text(json.dumps(config))
    tensors = {name: each.contiguous() for name, each in model.state_dict().items()}
    name = "vit.embeddings.patch_embeddings.projection.weight"
    tensors[name] = patch_weights(tensors[name], job.patch).contiguous()
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    given: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    sides: dict[str, Any] = {name: tuple(given.pop(name)) for name in ("size", "patch")}
    train(TransformersJob(**given, **sides))
