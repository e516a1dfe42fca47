"""Features for the baselines: small pictures, colours and edges, or the mean spectrum of a recording."""

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
SIDE = 48  # side of the pictures for colours and edges, in pixels; three times PIXELS
LEVELS = 4  # levels of each RGB channel, which gives 64 colours; a single channel has 16 levels
SECONDS = 10.0  # seconds to use from the middle of a recording
CHUNK = 256  # pictures whose edges are computed at once, which limits the memory


def picture_features(dataset: Dataset) -> tuple[dict[str, Features], NDArray[np.int64]]:
    """Return the features of a picture data set, and the numbers (n,) of its readable files.

    The features are `pixels` (n, 16 · 16 · c) and `histograms` (n, d) of edges and colours.

    Example:

        >>> from kakera.data.sources.files import open_pictures
        >>> data = open_pictures([np.zeros((32, 32), np.uint8)] * 10, channels=1)
        >>> features, numbers = picture_features(data)
        >>> features["pixels"].shape, len(numbers)
        ((10, 256), 10)
    """
    small, kept = _read(dataset, lambda index: _shrunken(dataset.pictures.read(index)))
    together = np.stack(small) if small else np.zeros((0, SIDE, SIDE, dataset.channels), np.uint8)
    factor = SIDE // PIXELS
    cells = together.reshape(len(together), PIXELS, factor, PIXELS, factor, -1)
    pixels = cells.mean(axis=(2, 4), dtype=np.float32).reshape(len(together), -1)
    chunks = [together[start : start + CHUNK] for start in range(0, len(together), CHUNK)]
    edges = [np.concatenate([hog(chunk), colours(chunk)], axis=1) for chunk in chunks]
    return {"pixels": pixels, "histograms": np.concatenate(edges) if edges else pixels}, kept


def sound_features(dataset: Dataset) -> tuple[dict[str, Features], NDArray[np.int64]]:
    """Return the features of a recording data set, and the numbers (n,) of its readable files.

    The feature is `spectrum` (n, 2 · bands): mean and standard deviation over time of the log-mel
    spectrogram.

    Example:

        >>> from kakera.data.sources.files import open_recordings
        >>> from kakera.sound.spec import SoundSpec
        >>> second = np.full(8000, 0.1, np.float32), 8000
        >>> features, numbers = sound_features(open_recordings(second, SoundSpec()))
        >>> features["spectrum"].shape, len(numbers)
        ((1, 256), 1)
    """
    sounds = dataset.sounds
    assert sounds is not None
    spec, most = sounds.spec, round(SECONDS * sounds.spec.rate)

    def spectrum(index: int) -> Features:
        start = max(0, sounds.length(index) - most) // 2
        wave = torch.from_numpy(np.array(sounds.piece(index, start, most)))
        bands = log_mel(wave[None], spec)[0, 0].numpy()
        return np.concatenate([bands.mean(axis=1), bands.std(axis=1)])

    spectra, kept = _read(dataset, spectrum)
    return {"spectrum": np.stack(spectra) if spectra else np.zeros((0, 2 * spec.bins), np.float32)}, kept


def colours(pictures: NDArray[np.uint8]) -> Features:
    """Return square roots of the colour shares of pictures (n, H, W, c).

    The result is (n, 64) for RGB and (n, 16) for grey. For other numbers of channels it is (n, 16 · c).

    Example:

        >>> colours(np.zeros((1, 4, 4, 3), np.uint8)).shape
        (1, 64)
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
    """Resize the whole picture (H, W, c) to a square of `SIDE` pixels."""
    return resized(picture, (SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)


def _read(
    dataset: Dataset, work: Callable[[int], NDArray[Any]]
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Apply `work` to each file; return the results of the readable files, in order, and their numbers."""

    def one(index: int) -> NDArray[Any] | None:
        try:
            return work(index)
        except UnreadableFileError:
            return None  # the run already lists the unreadable file

    with ThreadPoolExecutor(min(8, usable_cores())) as pool:
        results = list(with_progress(pool.map(one, range(len(dataset))), "baselines", total=len(dataset)))
    kept = [number for number, result in enumerate(results) if result is not None]
    return [result for result in results if result is not None], np.array(kept, dtype=np.int64)
