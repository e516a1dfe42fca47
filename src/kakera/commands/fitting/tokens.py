"""The tokens of a fit: which are missing, how long they take, and fewer files for a time limit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera import duration
from kakera.commands.fitting.material import FitMaterial
from kakera.data.dataset import Dataset
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.formats.tokens.keys import Key
from kakera.training.stored_features import missing_files, stored_features

MEASURED = 256  # files that measure the time of a token
FEW = 512  # missing tokens up to which nothing is measured
BESIDE = 5.0  # seconds for everything but tokens: imports, heads, baselines, report


@dataclass(frozen=True, eq=False)
class FitTokens:
    """The tokens (n, d) of training and test files by pooling, and the numbers (n,) of the readable files."""

    train: dict[str, NDArray[np.float32]]
    test: dict[str, NDArray[np.float32]]
    train_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]
    unreadable: tuple[UnreadableFileError, ...]
    computed: int
    """Number of files whose tokens were not in the cache."""
    seconds: float


def missing(material: FitMaterial) -> tuple[int, int]:
    """Return the numbers of training and test files whose tokens are not in the cache."""
    encoder, kinds = material.encoder, material.kinds
    train = missing_files(encoder, material.train, kinds, material.train_keys)
    return len(train), len(missing_files(encoder, material.test, kinds, material.test_keys))


def seconds_per_file(material: FitMaterial) -> float:
    """Return the measured seconds of reading a file and computing its tokens; store nothing.

    Up to 256 evenly spaced training files are measured, after a few that warm up.
    """
    from kakera.formats.features import each_features
    from kakera.training.device import moved_to_device

    saved, files = material.encoder.load(), material.train
    rows = np.unique(np.linspace(0, len(files) - 1, MEASURED).astype(int))
    with moved_to_device(saved, material.options.device):
        for chosen in (rows[:8], rows):
            began = time.perf_counter()
            for _ in each_features(saved, files.take(chosen), [-1], ["class", "mean"]):
                pass
            seconds = (time.perf_counter() - began) / len(chosen)
    cores = max(1, material.workers)
    return seconds / cores if files.sounds is None and material.workers else seconds


def within_time(material: FitMaterial, limit: float, spent: float) -> tuple[FitMaterial, str]:
    """Return the material with fewer training files if the tokens would exceed the limit, and a note or "".

    `limit` and `spent` are in seconds; a limit of 0 is none. All test files are kept. Raises OptionError if
    the limit does not suffice for them.
    """
    train, test = missing(material)
    if not limit or train + test <= FEW:
        return material, ""
    each = seconds_per_file(material)
    room = int((limit - spent - BESIDE) / each)
    if train + test <= room:
        return material, ""
    least = 2 * len(material.dataset.classes)
    share = max(0.0, (room - test) / max(train, 1))
    count = int(share * len(material.train))
    if count < least:
        need = duration.words(spent + BESIDE + each * (test + least / max(len(material.train), 1) * train))
        got, do = material.options.time, "raise --time"
        if got == "auto":
            got = duration.words(limit)
        raise OptionError("time", got=got, expected=f"at least about {need} for the tokens", do=do)
    note = (
        f"the tokens of {train + test:,} files would take {duration.words(each * (train + test))}: "
        f"{count:,} of {len(material.train):,} labels are used; raise --time for all"
    )
    return material.with_fewer(count), note


def tokens_of(material: FitMaterial) -> FitTokens:
    """Compute the tokens of all files, or read them from the cache.

    Raises DataError without a readable training file.
    """
    began, broken = time.monotonic(), list[UnreadableFileError]()
    encoder, kinds = material.encoder, material.kinds
    computed = sum(missing(material))

    def part(
        files: Dataset, keys: Sequence[Key], progress: str
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
        found, rows = stored_features(
            encoder,
            files,
            kinds,
            keys=keys,
            workers=material.workers,
            progress=progress,
            device=material.options.device,
            unreadable=broken,
        )
        return {pool: found[-1, pool] for _, pool in kinds}, rows

    train, train_rows = part(material.train, material.train_keys, "tokens of training files")
    if not len(train_rows):
        got, do = "no readable training file", "check the files"
        raise DataError(material.dataset.name, got=got, expected="at least one", do=do)
    test, test_rows = part(material.test, material.test_keys, "tokens of test files")
    seconds = time.monotonic() - began
    return FitTokens(train, test, train_rows, test_rows, tuple(broken), computed, seconds)


def only_readable(material: FitMaterial, tokens: FitTokens) -> FitMaterial:
    """Return the material with its readable files only, in the order of the tokens."""
    return material.take(tokens.train_rows, tokens.test_rows)
