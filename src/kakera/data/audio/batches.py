"""Whole batches of waveforms: random places of recordings to train on, or windows over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from kakera import seeding
from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import Dataset
from kakera.data.order import Place
from kakera.data.sounds import Sounds
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
        with sounds.opened(index) as sound:
            start = int(draws[0] * (max(0, sound.length - self.samples) + 1))
            wave = sound.piece(start, self.samples)
        if self.kind.roll:
            wave = time_shift(wave, round(self.kind.roll * sounds.spec.rate), draws[1])
        if self.kind.gain:
            wave = change_gain(wave, self.kind.gain, draws[2])
        if self.kind.noise:
            normal = seeding.generator(self.seed, "noise", epoch, index)
            white = normal.standard_normal(len(wave), dtype=np.float32)
            wave = add_noise(wave, self.kind.noise, draws[3], white)
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
        chosen = self.table[[number for _, _, number, _ in places]].tolist()
        for index, windows in groupby(chosen, key=lambda window: window[0]):
            begins = [start for _, start in windows]
            for start, wave in zip(begins, self._waves(index, begins), strict=True):
                if isinstance(wave, UnreadableFileError):
                    broken.append(wave)
                else:
                    found.append((index, start, wave))
        return _batch(self.dataset, self.samples, found, 0, places[0][1], tuple(broken))

    def _waves(self, index: int, begins: Sequence[int]) -> list[Wave | UnreadableFileError]:
        """The windows of one recording, whose file is opened once; where one cannot be read, why."""
        found: list[Wave | UnreadableFileError] = []
        try:
            with _sounds(self.dataset).opened(index) as sound:
                for start in begins:
                    try:
                        found.append(sound.piece(start, self.samples))
                    except UnreadableFileError as error:
                        found.append(error)
        except UnreadableFileError as error:  # of the file: none of its windows can be read
            return [error] * len(begins)
        return found

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
            with sounds.opened(index) as sound:
                if sound.length - start < sounds.spec.frame_samples:
                    got = f"got {sounds.spec.seconds(sound.length):.3g} s"
                    after = f"{sounds.spec.seconds(start):.3g} s"
                    reason = f"{got}, expected a frame after {after}; begin earlier"
                    raise UnreadableFileError(sounds.name(index), reason)
                found.append((index, start, sound.piece(start, samples)))
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
        labels = torch.from_numpy(chosen.astype(np.float32 if dataset.multi_label else np.int64))
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


def time_shift(wave: Wave, most: int, noise: float) -> Wave:
    """Shifted circularly in time by up to `most` samples (Huang et al. 2022, App. B); noise in [0, 1)."""
    return np.roll(wave, round((2 * noise - 1) * most))


def change_gain(wave: Wave, most: float, noise: float) -> Wave:
    """Up to `most` decibels louder or softer; noise in [0, 1)."""
    decibels = (2.0 * noise - 1.0) * most
    return wave * np.float32(np.power(10.0, decibels / 20.0))


def add_noise(wave: Wave, most: float, noise: float, draws: Wave) -> Wave:
    """With up to `most` times its own root mean square of white noise, from normal `draws` (samples,)."""
    strength = float(np.sqrt(np.square(wave, dtype=np.float64).mean())) if len(wave) else 0.0
    return np.add(wave, np.float32(strength * most * noise) * draws, dtype=np.float32)
