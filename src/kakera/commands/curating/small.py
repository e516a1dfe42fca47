"""Small grey pictures of files, or their spectrograms, which confirm copies; kept in the token cache."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.images.resize import visible
from kakera.data.preload.in_flight import decoding_bytes, in_order
from kakera.data.sounds import Sounds
from kakera.errors import UnreadableFileError
from kakera.formats.tokens.keys import Key
from kakera.formats.tokens.store import Kind, TokenStore
from kakera.progress import with_progress

SIDE = 48  # pixels
VERSION = 1  # of these pictures; raise it when they change
FRAME, HOP = 0.025, 0.01  # seconds of a spectrum, and from one to the next
LONGEST = 120.0  # seconds of a recording
FLOOR = 1e-6  # of the highest power: below it, a recording is silent
LOWEST = 50.0  # Hz
BLOCK = 4096  # pictures after which a file of the cache is written
KIND: Kind = (-1, "mean")  # the name of these pictures in the cache
Small = NDArray[np.uint8]


def small_pictures(dataset: Dataset, keys: Sequence[Key]) -> Small:
    """Return a small grey picture of each file, uint8 (n, 48, 48); a flat one for an unreadable file.

    That of a recording is its spectrogram: time across, frequencies on a logarithmic scale down. `keys` are
    those of the files. Pictures that the cache has are read, others are added to it.

    Example:

        >>> import os
        >>> from unittest.mock import patch
        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.formats.tokens.keys import file_keys
        >>> demo = open_dataset("demo").take([0, 1])
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     small_pictures(demo, file_keys(demo)).shape
        (2, 48, 48)
    """
    reading = repr(("small pictures", VERSION, SIDE, dataset.kind, dataset.channels, dataset.ranges))
    store = TokenStore(hashlib.blake2b(reading.encode(), digest_size=16).hexdigest())
    stored, known = store.find(keys, [KIND])
    found = np.zeros((len(dataset), SIDE, SIDE), np.uint8)
    if known.any():
        found[known] = np.ascontiguousarray(stored[KIND][known]).view(np.uint8).reshape(-1, SIDE, SIDE)
    missing = np.flatnonzero(~known)

    def read(number: int) -> Small:
        row = int(missing[number])
        try:
            if dataset.sounds is not None:
                return spectrogram(dataset.sounds, row)
            return _grey(visible(dataset.pictures.read(row)))
        except UnreadableFileError:
            return np.zeros((SIDE, SIDE), np.uint8)

    cost = decoding_bytes(dataset.pictures) if dataset.sounds is None else lambda _: 0
    reading_now = in_order(read, len(missing), lambda number: cost(int(missing[number])))
    written = 0
    for number, values in enumerate(with_progress(reading_now, "compare", total=len(missing)), 1):
        found[missing[number - 1]] = values
        if number - written >= BLOCK or number == len(missing):
            rows = missing[written:number]
            values = found[rows].reshape(len(rows), -1).view(np.float32)  # bytes, not numbers
            store.add([keys[row] for row in rows.tolist()], {KIND: values})
            written = number
    return found


def _grey(values: NDArray[np.uint8]) -> Small:
    grey = values.mean(axis=2).round().astype(np.uint8) if values.shape[2] > 1 else values[..., 0]
    return np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def spectrogram(sounds: Sounds, row: int) -> Small:
    """Return the spectrogram of a recording, at most two minutes of it, as a picture, uint8 (48, 48).

    Raises UnreadableFileError.

    Example:

        >>> from kakera.data.audio.recordings import ArraySounds
        >>> from kakera.sound.spec import SoundSpec
        >>> tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
        >>> picture = spectrogram(ArraySounds([tone], SoundSpec()), 0)
        >>> picture.shape, int(picture[:, 24].argmax())
        ((48, 48), 20)
    """
    rate = sounds.spec.rate
    wave = sounds.piece(row, 0, round(LONGEST * rate))
    size, hop = round(FRAME * rate), round(HOP * rate)
    wave = np.pad(wave, (0, max(0, size - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)))
    edges = np.geomspace(LOWEST, rate / 2, SIDE + 1) / rate * size
    columns = np.arange(power.shape[1])
    bands = np.stack([_band(columns, low, high) for low, high in itertools.pairwise(edges)])
    loud = power @ bands.T
    level = np.log(np.maximum(loud / max(float(loud.max()), 1e-30), FLOOR)) / np.log(FLOOR)
    picture = Image.fromarray((1 - level.T).astype(np.float32))
    resized = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return np.clip(255 * resized, 0, 255).round().astype(np.uint8)


def _band(columns: NDArray[np.int64], low: float, high: float) -> NDArray[np.float64]:
    """Return the weights of a triangle over the frequencies from below `low` to above `high`."""
    middle, half = (low + high) / 2, max(high - low, 1.0)
    return np.maximum(0, 1 - np.abs(columns - middle) / half)
