"""The input of a model of recordings: width of its window, mean and standard deviation of the data."""

from __future__ import annotations

import numpy as np
import torch

from kakera.data.dataset import Dataset
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.inputs import InputSpec
from kakera.option_fields import AUTO, Auto
from kakera.sound.logmel import log_mel
from kakera.sound.spec import SoundSpec

SECONDS = 10.24  # AST's window (Gong et al. 2021)
LEAST, MOST = 0.1, 120.0  # seconds
SAMPLE = 2_000  # most recordings to measure
FLAT = 0.1  # least standard deviation, because that of silence is 0
AXES = ("frequency", "time")


def frames(seconds: float | Auto, spec: SoundSpec, patch: tuple[int, int]) -> int:
    """Return the width of a window of `seconds` in frames, rounded to whole patches.

    "auto" is 10.24 seconds. Raises OptionError for less than 0.1 or more than 120 seconds.

    Example:

        >>> frames(2.5, SoundSpec(), patch=(16, 16)), frames("auto", SoundSpec(), patch=(16, 16))
        (256, 1024)
    """
    seconds = SECONDS if seconds == AUTO else seconds
    if not LEAST <= seconds <= MOST:
        raise OptionError(
            "seconds", got=f"{seconds:g}", expected=f"{LEAST:g} to {MOST:g}", do="choose another"
        )
    return max(1, round(seconds * 1000 / spec.hop / patch[1])) * patch[1]


def spectrogram_inputs(dataset: Dataset, seconds: float | Auto, patch: tuple[int, int]) -> InputSpec:
    """Return the model input for windows of `seconds`, with mean and standard deviation of the training part.

    Raises DataError, OptionError.

    Example:

        >>> from dataclasses import replace
        >>> from kakera.data.sources.files import open_recordings
        >>> data = open_recordings((np.full(8000, 0.1, np.float32), 8000), SoundSpec())
        >>> data = replace(data, split=np.array(["train"]))
        >>> spectrogram_inputs(data, 1.0, patch=(16, 16)).size
        (128, 96)
    """
    sounds = dataset.sounds
    assert sounds is not None
    width = frames(seconds, sounds.spec, patch)
    mean, std = loudness(dataset.part("train"), sounds.spec.samples(width))
    return InputSpec(1, sounds.spec.bins, width, (mean,), (std,), scale=1.0, axes=AXES, sound=sounds.spec)


def loudness(dataset: Dataset, samples: int) -> tuple[float, float]:
    """Return mean and standard deviation of the log-mel values of evenly spaced recordings.

    Measures `samples` waveform samples from the middle of each. The results have four decimals, so that they
    do not depend on the order of a sum. AST divides by two standard deviations; this corresponds to an
    `InputSpec` with doubled `std`. Raises DataError if no recording is readable.

    Example:

        >>> from kakera.data.sources.files import open_recordings
        >>> wave = np.sin(np.arange(8000)).astype(np.float32)
        >>> quiet, loud = (open_recordings((gain * wave, 8000), SoundSpec()) for gain in (0.1, 0.5))
        >>> loudness(quiet, 8000)[0] < loudness(loud, 8000)[0]
        True
    """
    sounds = dataset.sounds
    assert sounds is not None
    count, total, squares = 0, 0.0, 0.0
    for index in np.linspace(0, len(dataset) - 1, min(SAMPLE, len(dataset))).astype(int).tolist():
        try:
            start = max(0, sounds.length(index) - samples) // 2
            wave = sounds.piece(index, start, samples)
        except UnreadableFileError:
            continue
        values = log_mel(torch.from_numpy(np.array(wave))[None], sounds.spec).double()
        count += values.numel()
        total += values.sum().item()
        squares += values.square().sum().item()
    if not count:
        raise DataError(
            dataset.name, got="no readable recording", expected="at least one", do="check the files"
        )
    mean = total / count
    return round(mean, 4), max(round(max(squares / count - mean**2, 0.0) ** 0.5, 4), FLAT)
