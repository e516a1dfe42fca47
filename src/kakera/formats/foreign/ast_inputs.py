"""Inputs of the Audio Spectrogram Transformer (Gong et al. 2021), and the statistics of its data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kakera.errors import OptionError
from kakera.formats.fields import number
from kakera.inputs import InputSpec
from kakera.sound.spec import PRESETS

AXES = ("frequency", "time")
BINS = 128
# Mean and standard deviation of log-mel values; AST divides its input by two standard deviations.
AUDIOSET = (-4.2677393, 4.5689974)
STATISTICS: dict[int, tuple[str, float, float]] = {  # by number of classes
    527: ("AudioSet", *AUDIOSET),
    50: ("ESC-50", -6.6268077, 5.358466),
    35: ("Speech Commands", -6.845978, 5.5654526),
}
SEVERAL = (
    527  # classes of AudioSet: a recording has 2.7 labels on average, and each class has its own sigmoid
)
PADDING = 0.0  # log-mel value of the frames after a recording's end, which the model attends to


def spectrograms(frames: int, mean: float, std: float, bins: int = BINS) -> InputSpec:
    """Return the inputs of windows of `frames` frames of AST's front end; `std` is one standard deviation.

    Example:

        >>> spectrograms(1024, mean=-4.25, std=4.5).std
        (9.0,)
    """
    sound = replace(PRESETS["ast"], bins=bins)
    return InputSpec(1, bins, frames, (mean,), (2 * std,), scale=1.0, axes=AXES, sound=sound, blank=PADDING)


def is_multi_label(classes: int) -> tuple[bool, tuple[str, ...]]:
    """Return True and a note if this number of classes means multi-label, as AudioSet's 527 do.

    Example:

        >>> is_multi_label(50)
        (False, ())
    """
    if classes != SEVERAL:
        return False, ()
    return True, ("multi-label assumed, as in AudioSet: a sigmoid for each class",)


def recordings(preprocessing: Mapping[str, Any], bins: int, frames: int) -> tuple[InputSpec, tuple[str, ...]]:
    """Return the inputs that a feature extractor's `preprocessor_config.json` describes, and notes.

    Raises OptionError for another front end, or if it contradicts the configuration of the model.

    Example:

        >>> inputs, notes = recordings({"mean": -4.25, "std": 4.5}, bins=128, frames=1024)
        >>> inputs.size, inputs.mean
        ((128, 1024), (-4.25,))
    """
    notes = (
        ()
        if preprocessing
        else ("no preprocessor_config.json: AudioSet's mean and standard deviation assumed",)
    )
    required = {"sampling_rate": PRESETS["ast"].rate, "num_mel_bins": bins, "max_length": frames}
    values = {key: preprocessing.get(key, value) for key, value in required.items()}
    if values != required:
        raise OptionError(
            "preprocessing",
            got=", ".join(f"{key} {value}" for key, value in values.items()),
            expected=", ".join(f"{key} {value}" for key, value in required.items()),
            do="use both configurations of the same model",
        )
    mean, std = (number(k, preprocessing.get(k, v)) for k, v in zip(("mean", "std"), AUDIOSET, strict=True))
    if not preprocessing.get("do_normalize", True):
        mean, std = 0.0, 0.5
    return spectrograms(frames, mean, std, bins), notes
