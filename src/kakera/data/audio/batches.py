"""Batches of waveforms: random crops of recordings for training, or all windows for evaluation."""

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
    """A data set of random crops: `samples` samples at a random position of each recording, augmented.

    Recordings that are shorter than `samples` are used as a whole. `whole` is the number of samples in a step
    over all processes.

    Example:

        >>> from kakera.data.audio.recordings import ArraySounds
        >>> from kakera.sound.spec import SoundSpec
        >>> sounds = ArraySounds([np.zeros(1600, np.float32)], SoundSpec())
        >>> data = Dataset("birds", sounds, 1, np.array(["train"]))
        >>> Crops(data, 1000, Augmentation(), seed=0, whole=1).__getitems__([(0, 0, 0, 0)]).pictures.shape
        torch.Size([1, 1000])
    """

    def __init__(
        self, dataset: Dataset, samples: int, augmentation: Augmentation, seed: int, whole: int
    ) -> None:
        self.dataset, self.samples, self.kind, self.seed = dataset, samples, augmentation, seed
        self.whole = whole

    def __getitems__(self, places: list[Place]) -> Batch:
        epoch, step = places[0][:2]
        numbers = np.array([index for _, _, index, _ in places])
        draws = seeding.uniform(self.seed, epoch, numbers, "recordings", 4)
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
        if self.kind.time_shift:
            wave = time_shift(wave, round(self.kind.time_shift * sounds.spec.rate), draws[1])
        if self.kind.gain:
            wave = change_gain(wave, self.kind.gain, draws[2])
        if self.kind.noise:
            normal = seeding.generator(self.seed, "noise", epoch, index)
            white = normal.standard_normal(len(wave), dtype=np.float32)
            wave = add_noise(wave, self.kind.noise, draws[3], white)
        return index, start, wave


class Windows(TorchDataset[Any]):
    """A data set of windows: each recording is cut into windows of `samples` samples.

    The last window ends at the end of the recording, so it can overlap the window before it.

    Example:

        >>> from kakera.data.audio.recordings import ArraySounds
        >>> from kakera.sound.spec import SoundSpec
        >>> sounds = ArraySounds([np.zeros(1600, np.float32)], SoundSpec())
        >>> windows = Windows(Dataset("birds", sounds, 1, np.array(["test"])), 1000)
        >>> windows.table.tolist()
        [[0, 0], [0, 600]]
    """

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
        """Read the windows of one recording, and open its file once; return an error for unreadable ones."""
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
            return [0]  # the error is reported when this window is read
        return starts(length, self.samples)


def windows_at(dataset: Dataset, samples: int, start: int = 0) -> Batch:
    """Return a batch with one window of each recording, from sample `start` on.

    A window has `samples` samples, or fewer at the end of the recording. Recordings that cannot be read, or
    that have less than one frame after `start`, are listed in `Batch.unreadable`.

    Example:

        >>> from kakera.data.audio.recordings import ArraySounds
        >>> from kakera.sound.spec import SoundSpec
        >>> sounds = ArraySounds([np.zeros(1600, np.float32)], SoundSpec())
        >>> dataset = Dataset("birds", sounds, 1, np.array(["test"]))
        >>> windows_at(dataset, 1000, start=800).lengths
        tensor([800])
    """
    sounds, found, broken = _sounds(dataset), list[tuple[int, int, Wave]](), list[UnreadableFileError]()
    for index in range(len(dataset)):
        try:
            with sounds.opened(index) as sound:
                if sound.length - start < sounds.spec.frame_samples:
                    got = f"got {sounds.spec.seconds(sound.length):.3g} s"
                    after = f"{sounds.spec.seconds(start):.3g} s"
                    reason = f"{got}, expected a frame after {after}; start earlier"
                    raise UnreadableFileError(sounds.name(index), reason)
                found.append((index, start, sound.piece(start, samples)))
        except UnreadableFileError as error:
            broken.append(error)
    return _batch(dataset, samples, found, 0, 0, tuple(broken))


def starts(length: int, samples: int) -> list[int]:
    """Return the first samples of all windows of a recording, so that every sample is in a window.

    `length` is the length of the recording and `samples` that of a window, both in samples.

    Example:

        >>> starts(10, 4)
        [0, 4, 6]
    """
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
    """Make a batch: waveforms (b, samples) filled with zeros, their labels, lengths and starts."""
    together = np.zeros((len(found), samples), np.float32)
    for row, (_, _, wave) in zip(together, found, strict=True):
        row[: len(wave)] = wave
    numbers = np.array([index for index, _, _ in found], dtype=np.int64)
    labels = None
    if dataset.labels is not None:
        chosen = dataset.labels[numbers]
        labels = torch.from_numpy(chosen.astype(np.int64 if chosen.ndim == 1 else np.float32))
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
    """Shift a waveform circularly in time by up to `most` samples (Huang et al. 2022, App. B).

    `wave` is float32 (samples,). `noise` is a random number in [0, 1); 0.5 means no shift. Returns an array
    of the same shape.

    Example:

        >>> time_shift(np.array([1, 2, 3], np.float32), most=1, noise=0.0)
        array([2., 3., 1.], dtype=float32)
    """
    return np.roll(wave, round((2 * noise - 1) * most))


def change_gain(wave: Wave, most: float, noise: float) -> Wave:
    """Make a waveform louder or softer by up to `most` decibels.

    `wave` is float32 (samples,). `noise` is a random number in [0, 1); 0.5 means no change. Returns an array
    of the same shape.

    Example:

        >>> change_gain(np.ones(2, np.float32), most=20, noise=0.0)
        array([0.1, 0.1], dtype=float32)
    """
    decibels = (2.0 * noise - 1.0) * most
    return wave * np.float32(np.power(10.0, decibels / 20.0))


def add_noise(wave: Wave, most: float, noise: float, draws: Wave) -> Wave:
    """Add white noise to a waveform, with up to `most` times the root mean square of the waveform.

    `wave` is float32 (samples,). `noise` is a random number in [0, 1) that sets the strength. `draws` are
    random numbers from a standard normal distribution, float32 (samples,). Returns an array of the same
    shape.

    Example:

        >>> add_noise(np.ones(2, np.float32), 0.5, 0.5, np.array([1, -1], np.float32))
        array([1.25, 0.75], dtype=float32)
    """
    strength = float(np.sqrt(np.square(wave, dtype=np.float64).mean())) if len(wave) else 0.0
    return np.add(wave, np.float32(strength * most * noise) * draws, dtype=np.float32)
