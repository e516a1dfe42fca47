"""The output of frozen lower layers, computed once for all epochs.

If nothing random changes a picture before the frozen layers, their output is the same in each epoch. It is
stored in memory or in a file, and each step begins with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset

from kakera.data.batch import Batch
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import Reader
from kakera.data.order import BatchSlice, Place, SequentialSampler, TrainingSampler
from kakera.data.workers import read_batches
from kakera.errors import UnreadableFileError
from kakera.model.classifier import Classifier, pooled_tokens
from kakera.progress import Progress
from kakera.storage import storing
from kakera.training.options import FinetuneOptions
from kakera.training.plan import TrainingPlan
from kakera.training.planning.frozen_layers import FrozenLayers, stored_tokens
from kakera.training.tasks import Classification

CHUNK = 64  # pictures per forward pass


def tokens_after(model: Classifier, pixels: Float[Tensor, "b c H W"], layers: int) -> Float[Tensor, "b k d"]:
    """Return the tokens (b, k, d) after the lowest layers, from which `Classifier.forward` goes on.

    If all layers are frozen, only the tokens that the head reads are returned: the first ones, or their mean.

    Example:

        >>> model = Classifier("nano", 2, "class", channels=1, image_size=28)
        >>> [tokens_after(model, torch.zeros(1, 1, 28, 28), layers).shape[1] for layers in (2, 3)]
        [50, 1]
    """
    encoder = model.encoder
    first = pooled_tokens(encoder.config, model.pool)
    z = encoder.embed(pixels)
    places = encoder.places(z)
    for number, layer in enumerate(encoder.layers[:layers], start=1):
        last = first and number == len(encoder.layers)
        z = layer(z, select=(lambda z: z[:, :first]) if last else None, **places)
    if layers == len(encoder.layers) and model.pool == "mean":
        prefix = encoder.config.prefix_tokens
        z = torch.cat([z[:, :prefix], z[:, prefix:].mean(dim=1, keepdim=True)], dim=1)
    return z


class FrozenTokens:
    """The tokens of all training files after the lowest `layers` layers, float32 (n, k, d).

    They are in memory, or in a file of `folder`, which is removed at the end. Until `fill`, all are equal
    random numbers, which is enough to measure the time of a step.

    The training files are read in the same order as without stored tokens. Losses and weights differ by
    rounding only, because matrix products of batches of another size are rounded differently. The tokens are
    computed in fixed groups of 64 files, so a resumed training has the same bits as an uninterrupted one.

    Example:

        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> FrozenTokens(model, 100, layers=2).shape, FrozenTokens(model, 100, layers=3).shape
        ((100, 50, 64), (100, 2, 64))
    """

    def __init__(self, model: Classifier, count: int, layers: int, folder: Path | None = None) -> None:
        self.layers, shape = layers, model.encoder.config
        self.path = folder and folder / f".frozen-tokens.{os.getpid():08x}"  # removed if killed, see `Run`
        tokens = stored_tokens(shape, model.encoder.grid.count, model.pool, layers)
        self.shape = (count, tokens, shape.width)
        self.tokens = torch.randn(1, *self.shape[1:], generator=torch.Generator().manual_seed(0))
        self.tokens = self.tokens.expand(self.shape)
        self.broken: dict[int, UnreadableFileError] = {}

    def fill(self, task: object, plan: TrainingPlan, fabric: Fabric) -> None:
        """Compute the tokens of all training files with the model of the task. Raises StorageError."""
        assert isinstance(task, Classification)
        with Progress("frozen layers", total=len(plan.train), kind=plan.train.kind) as progress:
            groups = self._groups(task, plan, fabric, progress)
            if self.path is None:
                stored = np.empty(self.shape, np.float32)
                for first, tokens in groups:
                    stored[first : first + len(tokens)] = tokens
            else:
                with storing(self.path), self.path.open("wb") as file:
                    for _, tokens in groups:
                        file.write(tokens.tobytes())
                stored = np.memmap(self.path, np.float32, "r+", shape=self.shape)
        self.tokens = torch.from_numpy(stored)

    def _groups(
        self, task: Classification, plan: TrainingPlan, fabric: Fabric, progress: Progress
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first number of each group of files, and their tokens; 0 for an unreadable file."""
        for batch in training_pictures(plan):
            first = batch.step * CHUNK
            rows = np.zeros((min(CHUNK, len(plan.train) - first), *self.shape[1:]), np.float32)
            if len(batch.samples):
                rows[batch.samples.numpy() - first] = tokens_of(task, batch, self.layers, fabric)
            missing = sorted({*range(first, first + len(rows))} - {*batch.samples.tolist()})
            self.broken |= dict(zip(missing, batch.unreadable, strict=True))
            progress.advance(len(rows))
            yield first, rows

    def batches(
        self, plan: TrainingPlan, start: int, share: BatchSlice, *, pinned: bool = False
    ) -> Iterator[Batch]:
        """Return an iterator over the pieces of all steps; `pictures` of a batch are tokens (b, k, d)."""
        count, classes = len(plan.train), plan.balanced_classes
        order = TrainingSampler(count, plan.seed, plan.batch, plan.steps, start, share, classes)
        return read_batches(_TokenReader(self, plan), order, 0, pinned=pinned)

    def close(self) -> None:
        """Remove the tokens and their file."""
        self.tokens = self.tokens[:0]
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()


class _TokenReader(TorchDataset[Any]):
    """A data set that takes batches of stored tokens, as `Reader` reads batches of pictures."""

    def __init__(self, stored: FrozenTokens, plan: TrainingPlan) -> None:
        self.stored, self.train, self.whole = stored, plan.train, plan.batch

    def __getitems__(self, places: list[Place]) -> Batch:
        epoch, step = places[0][:2]
        broken = self.stored.broken
        numbers = np.array([number for _, _, number, _ in places if number not in broken], dtype=np.int64)
        rows = [row for _, _, number, row in places if number not in broken]
        assert self.train.labels is not None
        chosen = self.train.labels[numbers]
        return Batch(
            self.stored.tokens[torch.from_numpy(numbers)],
            torch.from_numpy(chosen.astype(np.int64 if chosen.ndim == 1 else np.float32)),
            torch.from_numpy(numbers),
            epoch,
            step,
            tuple(broken[number] for _, _, number, _ in places if number in broken),
            rows=torch.tensor(rows, dtype=torch.int64),
            whole=self.whole,
        )


def training_pictures(plan: TrainingPlan, most: int = 1 << 62) -> Iterator[Batch]:
    """Return an iterator over the first `most` training files once, in order, in groups of 64.

    The pictures are those of a training without anything random.
    """
    crop = CenterCrop.of(plan.crop or plan.size)
    reader = Reader(plan.train, crop, plan.augmentation, plan.seed, len(plan.train))
    return read_batches(reader, SequentialSampler(min(most, len(plan.train)), CHUNK), plan.workers)


@torch.no_grad()
def tokens_of(task: Classification, batch: Batch, layers: int, fabric: Fabric) -> NDArray[np.float32]:
    """Return the tokens (b, k, d) of a batch after the lowest layers."""
    model = task.model
    assert isinstance(model, Classifier)
    batch = batch.to(fabric.device)
    pixels = task.inputs_of(batch)[0].to(model.encoder.reference.dtype)
    with fabric.autocast():
        return tokens_after(model, pixels, layers).float().cpu().numpy()


def seconds_of_a_file(task: Classification, plan: TrainingPlan, fabric: Fabric) -> float:
    """Return the measured seconds of reading a training file and computing its tokens.

    The second of two groups of files is measured, or the first if there is no other.
    """
    task.model.to(fabric.device)
    seconds, began = 0.0, time.perf_counter()
    for batch in training_pictures(plan, 2 * CHUNK):
        tokens_of(task, batch, task.stored_layers, fabric)
        seconds, began = (time.perf_counter() - began) / max(len(batch.samples), 1), time.perf_counter()
    task.model.cpu()
    return seconds


def frozen_tokens(
    model: nn.Module, options: FinetuneOptions, count: int, layers: FrozenLayers | None
) -> FrozenTokens | None:
    """Return a store for the tokens of `count` training files; None if each step computes them.

    Example:

        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> frozen_tokens(model, FinetuneOptions("", freeze=2), 100, FrozenLayers("memory", "")).shape
        (100, 50, 64)
    """
    if layers is None or not layers.stored or not isinstance(model, Classifier):
        return None
    folder = Path(options.out) if layers.stored == "file" else None
    return FrozenTokens(model, count, options.freeze, folder)
