"""What a model of recordings takes in: how wide its window is, and the data's own mean and deviation."""

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
SAMPLE = 2_000  # recordings that are measured
FLAT = 0.1  # least deviation: silence has none
AXES = ("frequency", "time")


def frames(seconds: float | Auto, spec: SoundSpec, patch: tuple[int, int]) -> int:
    """Return the width of a window in frames: the whole patches nearest to so many seconds.

    Raises OptionError.
    """
    seconds = SECONDS if seconds == AUTO else seconds
    if not LEAST <= seconds <= MOST:
        raise OptionError(
            "seconds", got=f"{seconds:g}", expected=f"{LEAST:g} to {MOST:g}", do="choose another"
        )
    return max(1, round(seconds * 1000 / spec.hop / patch[1])) * patch[1]


def spectrogram_inputs(dataset: Dataset, seconds: float | Auto, patch: tuple[int, int]) -> InputSpec:
    """Windows of `seconds`, with mean and deviation of the training part. Raises DataError, OptionError."""
    sounds = dataset.sounds
    assert sounds is not None
    width = frames(seconds, sounds.spec, patch)
    mean, std = loudness(dataset.part("train"), sounds.spec.samples(width))
    return InputSpec(1, sounds.spec.bins, width, (mean,), (std,), scale=1.0, axes=AXES, sound=sounds.spec)


def loudness(dataset: Dataset, samples: int) -> tuple[float, float]:
    """Mean and deviation of the log-mel values, from the middle of evenly spaced recordings.

    Four decimals: what a sum in another order changes is not part of a run's description. AST divides by
    two deviations; an `InputSpec` with `std` doubled says the same. Raises DataError.
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
            dataset.name, got="no readable recording", expected="at least one", do="look at the files"
        )
    mean = total / count
    return round(mean, 4), max(round(max(squares / count - mean**2, 0.0) ** 0.5, 4), FLAT)
