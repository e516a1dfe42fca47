"""Whole batches of waveforms: random places of recordings to train on, or windows over all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from kakera import seeding
from kakera.data.audio import waves
from kakera.data.audio.recordings import Sounds
from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import Dataset
from kakera.data.order import Place
from kakera.errors import UnreadableFileError

Wave = NDArray[np.float32]


class Crops(TorchDataset[Any]):
    """Of each recording `samples` at a random place, or all of it; augmented."""

    def __init__(
        self, dataset: Dataset, samples: int, augmentation: Augmentation, seed: int, whole: int
    ) -> None:
        self.dataset, self.samples, self.kind, self.seed = dataset, samples, augmentation, seed
        self.whole = whole

    def __getitems__(self, places: list[Place]) -> Batch:
        epoch, step = places[0][:2]
        wanted = np.array([index for _, _, index, _ in places])
        draws = seeding.uniform(self.seed, epoch, wanted, "recordings", 4)
        found: list[tuple[int, int, Wave]] = []
        broken: list[UnreadableFileError] = []
        rows: list[int] = []
        for (_, _, index, place), row in zip(places, draws.tolist(), strict=True):
            try:
                found.append(self._crop(index, row, epoch))
                rows.append(place)
            except UnreadableFileError as error:
                broken.append(error)
        batch = _batch(self.dataset, self.samples, found, epoch, step, tuple(broken))
        return replace(batch, rows=torch.tensor(rows, dtype=torch.int64), whole=self.whole)

    def _crop(self, index: int, draws: list[float], epoch: int) -> tuple[int, int, Wave]:
        sounds = _sounds(self.dataset)
        start = int(draws[0] * (max(0, sounds.length(index) - self.samples) + 1))
        wave = sounds.piece(index, start, self.samples)
        if self.kind.roll:
            wave = waves.rolled(wave, round(self.kind.roll * sounds.spec.rate), draws[1])
        if self.kind.gain:
            wave = waves.louder(wave, self.kind.gain, draws[2])
        if self.kind.noise:
            normal = seeding.generator(self.seed, "noise", epoch, index)
            white = normal.standard_normal(len(wave), dtype=np.float32)
            wave = waves.noisier(wave, self.kind.noise, draws[3], white)
        return index, start, wave


class Windows(TorchDataset[Any]):
    """Every recording in windows of `samples`, one after another; the last ends where the recording does."""

    def __init__(self, dataset: Dataset, samples: int) -> None:
        self.dataset, self.samples = dataset, samples
        found = [(index, start) for index in range(len(dataset)) for start in self._starts(index)]
        self.table = np.array(found, dtype=np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.table)

    def __getitems__(self, places: list[Place]) -> Batch:
        found: list[tuple[int, int, Wave]] = []
        broken: list[UnreadableFileError] = []
        for index, start in self.table[[number for _, _, number, _ in places]].tolist():
            try:
                found.append((index, start, _sounds(self.dataset).piece(index, start, self.samples)))
            except UnreadableFileError as error:
                broken.append(error)
        return _batch(self.dataset, self.samples, found, 0, places[0][1], tuple(broken))

    def _starts(self, index: int) -> list[int]:
        try:
            length = _sounds(self.dataset).length(index)
        except UnreadableFileError:
            return [0]  # it is named when it is read
        return starts(length, self.samples)


def windows_at(dataset: Dataset, samples: int, start: int = 0) -> Batch:
    """Of each recording the window from sample `start` on, shorter where the recording ends.

    What cannot be read, or has less than a frame left there, is named in the batch.
    """
    sounds, found, broken = _sounds(dataset), list[tuple[int, int, Wave]](), list[UnreadableFileError]()
    for index in range(len(dataset)):
        try:
            left = sounds.length(index) - start
            if left < sounds.spec.frame_samples:
                got = f"got {sounds.spec.seconds(left + start):.3g} s"
                reason = f"{got}, expected a frame after {sounds.spec.seconds(start):.3g} s; begin earlier"
                raise UnreadableFileError(sounds.name(index), reason)
            found.append((index, start, sounds.piece(index, start, samples)))
        except UnreadableFileError as error:
            broken.append(error)
    return _batch(dataset, samples, found, 0, 0, tuple(broken))


def starts(length: int, samples: int) -> list[int]:
    """Where windows of so many samples begin in a recording of `length`, so that each sample is in one."""
    last = max(0, length - samples)
    return [*range(0, last, samples), last]


def _sounds(dataset: Dataset) -> Sounds:
    sounds = dataset.sounds
    assert sounds is not None
    return sounds


def _batch(
    dataset: Dataset,
    samples: int,
    found: list[tuple[int, int, Wave]],
    epoch: int,
    step: int,
    broken: tuple[UnreadableFileError, ...],
) -> Batch:
    """Waveforms with zeros at their ends, and what is known of each."""
    together = np.zeros((len(found), samples), np.float32)
    for row, (_, _, wave) in zip(together, found, strict=True):
        row[: len(wave)] = wave
    numbers = np.array([index for index, _, _ in found], dtype=np.int64)
    labels = None
    if dataset.labels is not None:
        chosen = dataset.labels[numbers]
        labels = torch.from_numpy(chosen.astype(np.float32 if dataset.several else np.int64))
    return Batch(
        torch.from_numpy(together),
        labels,
        torch.from_numpy(numbers),
        epoch,
        step,
        broken,
        lengths=torch.tensor([len(wave) for _, _, wave in found], dtype=torch.int64),
        starts=torch.tensor([start for _, start, _ in found], dtype=torch.int64),
    )
