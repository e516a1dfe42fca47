"""The tokens of an encoder for the files of a study, from the cache as far as it has them, and its speed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import numpy as np
import PIL
import torch
from numpy.typing import NDArray

from kakera.commands.fitting.setup import FitSetup
from kakera.commands.fitting.tokens import FitTokens
from kakera.data.dataset import Dataset
from kakera.formats.features import each_features
from kakera.formats.tokens.keys import Key
from kakera.formats.tokens.store import Kind, TokenStore
from kakera.training.baselines.simple_features import picture_features, sound_features
from kakera.training.device import moved_to_device

VERSION = 1  # of the baseline's features; raise it when they change
BLOCK = 1024  # files after which the features of the baseline are stored
KIND: Kind = (-1, "mean")  # of the baseline's features in the cache
LEAST, FILES, SECONDS = 4, 16, 1.0  # files of a measurement, repeated until the time has passed


def baseline_tokens(
    train: Dataset, test: Dataset, keys: tuple[Sequence[Key], Sequence[Key]], title: str
) -> FitTokens:
    """Return 16 x 16 pixels of pictures, or the mean spectrum of recordings, as tokens named `title`.

    `keys` are those of training and test files in the cache. Features that the cache has are read; others
    are computed and added to it.

    Example:

        >>> import os
        >>> from unittest.mock import patch
        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.formats.tokens.keys import file_keys
        >>> files = open_dataset("demo").take(range(3))
        >>> with patch.dict(os.environ, KAKERA_CACHE="cache"):
        ...     found = baseline_tokens(files, files, (file_keys(files),) * 2, "pixels")
        >>> found.train["pixels"].shape, found.computed
        ((3, 256), 3)
    """
    began = time.monotonic()
    seen, rows, first = _features(train, keys[0])
    unseen, test_rows, second = _features(test, keys[1])
    seconds = time.monotonic() - began
    return FitTokens({title: seen}, {title: unseen}, rows, test_rows, (), first + second, seconds)


def missing_baseline(files: Dataset, keys: Sequence[Key]) -> int:
    """Return the number of files whose features are not in the cache; see `baseline_tokens`."""
    return int((~TokenStore(_key(files)).find(keys, [KIND])[1]).sum())


def baseline_milliseconds(files: Dataset) -> float:
    """Return the processor time of the baseline's features in milliseconds for each file."""
    return _fastest(lambda some: _simple(some)[0], files, time.process_time)


def encoder_milliseconds(setup: FitSetup) -> float:
    """Return the milliseconds in which one thread reads a file and computes its tokens.

    On a CPU it is processor time, so other programs count little; on a GPU it is the time that passes.
    Nothing is stored.
    """
    with moved_to_device(setup.encoder.load(), setup.options.device) as device, one_thread():
        clock = time.process_time if device.type == "cpu" else time.perf_counter
        return _fastest(_encoder(setup), setup.test, clock)


def encoder_seconds(setup: FitSetup) -> float:
    """Return the seconds that pass for a file with all threads of this process, for the plan.

    Nothing is stored.
    """
    with moved_to_device(setup.encoder.load(), setup.options.device):
        return _fastest(_encoder(setup), setup.test, time.perf_counter) / 1000


def _encoder(setup: FitSetup) -> Callable[[Dataset], None]:
    saved = setup.encoder.load()

    def work(some: Dataset) -> None:
        for _ in each_features(saved, some, [-1], ["mean"]):
            pass

    return work


@contextmanager
def one_thread() -> Generator[None]:
    """Let PyTorch compute with one thread inside the `with` block.

    Example:

        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fastest(work: Callable[[Dataset], object], files: Dataset, clock: Callable[[], float]) -> float:
    """Return the lowest time of some measurements, in milliseconds for each file.

    A first measurement of a few files warms up, and decides how many files the others have.
    """
    began = clock()
    work(files.take(_spaced(len(files), LEAST)))
    each = (clock() - began) / LEAST
    some = files.take(_spaced(len(files), int(min(max(SECONDS / max(each, 1e-9), LEAST), FILES))))
    times, until = list[float](), time.monotonic() + SECONDS
    while not times or time.monotonic() < until:
        began = clock()
        work(some)
        times.append(clock() - began)
    return 1000 * min(times) / len(some)


def _spaced(count: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64))


def _simple(files: Dataset) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    found, rows = picture_features(files) if files.sounds is None else sound_features(files)
    return found["pixels" if files.sounds is None else "spectrum"], rows


def _features(files: Dataset, keys: Sequence[Key]) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """Return features (n, d), the numbers (n,) of the readable files, and how many were computed."""
    store = TokenStore(_key(files))
    found, known = store.find(keys, [KIND])
    missing, values = np.flatnonzero(~known), found.get(KIND)
    for first in range(0, len(missing), BLOCK):
        rows = missing[first : first + BLOCK]
        computed, kept = _simple(files.take(rows))
        if values is None:
            values = np.zeros((len(files), computed.shape[1]), np.float32)
        values[rows[kept]] = computed
        known[rows[kept]] = True
        store.add([keys[row] for row in rows[kept].tolist()], {KIND: computed})
    readable = np.flatnonzero(known)
    values = np.zeros((0, 1), np.float32) if values is None else values[readable]
    return values, readable, len(missing)


def _key(files: Dataset) -> str:
    sounds = files.sounds
    spec = sounds.spec if sounds is not None else ""
    reading = repr((VERSION, files.kind, files.channels, files.ranges, PIL.__version__, spec))
    return hashlib.blake2b(reading.encode(), digest_size=16).hexdigest()
