"""The tokens of a fit: which are missing, how long they take, and fewer files for a time limit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera import duration
from kakera.commands.fitting.setup import FitSetup, require_labels_of_classes
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


def missing(setup: FitSetup) -> tuple[int, int]:
    """Return the numbers of training and test files whose tokens are not in the cache."""
    encoder, kinds = setup.encoder, setup.kinds
    train = missing_files(encoder, setup.train, kinds, setup.train_keys)
    return len(train), len(missing_files(encoder, setup.test, kinds, setup.test_keys))


def seconds_per_file(setup: FitSetup) -> float:
    """Return the measured seconds of reading a file and computing its tokens; store nothing.

    Up to 256 evenly spaced training files are measured, after a few that warm up.
    """
    from kakera.formats.features import each_features
    from kakera.training.device import moved_to_device

    saved, files = setup.encoder.load(), setup.train
    rows = np.unique(np.linspace(0, len(files) - 1, MEASURED).astype(int))
    with moved_to_device(saved, setup.options.device):
        for chosen in (rows[:8], rows):
            began = time.perf_counter()
            for _ in each_features(saved, files.take(chosen), [-1], ["class", "mean"]):
                pass
            seconds = (time.perf_counter() - began) / len(chosen)
    cores = max(1, setup.workers)
    return seconds / cores if files.sounds is None and setup.workers else seconds


def within_time(setup: FitSetup, absent: tuple[int, int], limit: float, spent: float) -> tuple[FitSetup, str]:
    """Return the setup with fewer training files if the tokens would exceed the limit, and a note or "".

    `absent` is the result of `missing`. `limit` and `spent` are in seconds; a limit of 0 is none. All test
    files are kept. Raises OptionError if the limit does not suffice for them.
    """
    train, test = absent
    if not limit or train + test <= FEW:
        return setup, ""
    each = seconds_per_file(setup)
    room = int((limit - spent - BESIDE) / each)
    if train + test <= room:
        return setup, ""
    least = 2 * len(setup.dataset.classes)
    share = max(0.0, (room - test) / max(train, 1))
    count = int(share * len(setup.train))
    if count < least:
        need = duration.words(spent + BESIDE + each * (test + least / max(len(setup.train), 1) * train))
        got, do = setup.options.time, "raise --time"
        if got == "auto":
            got = duration.words(limit)
        raise OptionError("time", got=got, expected=f"at least about {need} for the tokens", do=do)
    note = (
        f"the tokens of {train + test:,} files would take {duration.words(each * (train + test))}: "
        f"{count:,} of {len(setup.train):,} labels are used; raise --time for all"
    )
    return setup.with_fewer(count), note


def tokens_of(setup: FitSetup, absent: tuple[int, int]) -> FitTokens:
    """Compute the tokens of all files, or read them from the cache; `absent` is the result of `missing`.

    Raises DataError without a readable training file.
    """
    began, broken = time.monotonic(), list[UnreadableFileError]()
    encoder, kinds = setup.encoder, setup.kinds

    def part(
        files: Dataset, keys: Sequence[Key], progress: str
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
        found, rows = stored_features(
            encoder,
            files,
            kinds,
            keys=keys,
            workers=setup.workers,
            progress=progress,
            device=setup.options.device,
            unreadable=broken,
        )
        return {pool: found[-1, pool] for _, pool in kinds}, rows

    train, train_rows = part(setup.train, setup.train_keys, "tokens of training files")
    if not len(train_rows):
        got, do = "no readable training file", "check the files"
        raise DataError(setup.dataset.name, got=got, expected="at least one", do=do)
    test, test_rows = part(setup.test, setup.test_keys, "tokens of test files")
    seconds = time.monotonic() - began
    return FitTokens(train, test, train_rows, test_rows, tuple(broken), sum(absent), seconds)


def only_readable(setup: FitSetup, tokens: FitTokens) -> FitSetup:
    """Return the setup with its readable files only, in the order of the tokens.

    Raises DataError if only one class has readable training files.
    """
    found = setup.take(tokens.train_rows, tokens.test_rows)
    if tokens.unreadable:
        what = f"check the {len(tokens.unreadable)} unreadable files, such as {tokens.unreadable[0].path}"
        require_labels_of_classes(found.train, what)
    return found
