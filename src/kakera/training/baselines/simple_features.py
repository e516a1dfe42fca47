"""What the baselines see of a file: small pixels, colours and edges, or the mean spectrum of a recording."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.images.resize import OF_PILLOW, resized
from kakera.errors import UnreadableFileError
from kakera.machine import usable_cores
from kakera.progress import with_progress
from kakera.sound.logmel import log_mel
from kakera.training.baselines.hog import hog

Features = NDArray[np.float32]

PIXELS = 16  # side of the small pictures
SIDE = 48  # pixels: what colours and edges are counted on; three times PIXELS
LEVELS = 4  # of each colour: 64 colours; grey has as many as one channel of 16
SECONDS = 10.0  # of a recording, from its middle
CHUNK = 256  # pictures whose edges are counted at a time


def picture_features(dataset: Dataset) -> tuple[dict[str, Features], NDArray[np.int64]]:
    """`pixels` (n, 16 · 16 · c) and `histograms` (n, d), and the numbers of the n that could be read."""
    small, kept = _read(dataset, lambda index: _shrunken(dataset.pictures.read(index)))
    together = np.stack(small) if small else np.zeros((0, SIDE, SIDE, dataset.channels), np.uint8)
    factor = SIDE // PIXELS
    cells = together.reshape(len(together), PIXELS, factor, PIXELS, factor, -1)
    pixels = cells.mean(axis=(2, 4), dtype=np.float32).reshape(len(together), -1)
    chunks = [together[start : start + CHUNK] for start in range(0, len(together), CHUNK)]
    edges = [np.concatenate([hog(chunk), colours(chunk)], axis=1) for chunk in chunks]
    return {"pixels": pixels, "histograms": np.concatenate(edges) if edges else pixels}, kept


def sound_features(dataset: Dataset) -> tuple[dict[str, Features], NDArray[np.int64]]:
    """`spectrum` (n, 2 · bands): mean and deviation over time of the log-mel spectrogram, and the numbers."""
    sounds = dataset.sounds
    assert sounds is not None
    spec, most = sounds.spec, round(SECONDS * sounds.spec.rate)

    def spectrum(index: int) -> Features:
        start = max(0, sounds.length(index) - most) // 2
        wave = torch.from_numpy(np.array(sounds.piece(index, start, most)))
        bands = log_mel(wave[None], spec)[0, 0].numpy()
        return np.concatenate([bands.mean(axis=1), bands.std(axis=1)])

    found, kept = _read(dataset, spectrum)
    return {"spectrum": np.stack(found) if found else np.zeros((0, 2 * spec.bins), np.float32)}, kept


def colours(pictures: NDArray[np.uint8]) -> Features:
    """Square roots of the shares of each colour, (n, 64), or of each grey, (n, 16); pictures (n, H, W, c).

    Of other numbers of channels 16 of each.
    """
    channels = pictures.shape[-1]
    if channels not in OF_PILLOW:
        return np.concatenate([colours(pictures[..., one : one + 1]) for one in range(channels)], axis=1)
    levels = LEVELS if channels == 3 else LEVELS**2
    steps = pictures.astype(np.int64) * levels // 256
    colour = steps @ (levels ** np.arange(channels))
    count = levels**channels
    places = (np.arange(len(pictures))[:, None] * count + colour.reshape(len(pictures), -1)).ravel()
    votes = np.bincount(places, minlength=len(pictures) * count).reshape(len(pictures), count)
    return np.sqrt(votes / max(1, colour[0].size)).astype(np.float32)


def _shrunken(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The whole picture (H, W, c) as a square of `SIDE` pixels."""
    return resized(picture, (SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)


def _read(
    dataset: Dataset, work: Callable[[int], NDArray[Any]]
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """What `work` makes of each file that can be read, in order, and their numbers."""

    def one(index: int) -> NDArray[Any] | None:
        try:
            return work(index)
        except UnreadableFileError:
            return None  # the run has listed it

    with ThreadPoolExecutor(min(8, usable_cores())) as pool:
        results = list(with_progress(pool.map(one, range(len(dataset))), "baselines", total=len(dataset)))
    kept = [number for number, result in enumerate(results) if result is not None]
    return [result for result in results if result is not None], np.array(kept, dtype=np.int64)
