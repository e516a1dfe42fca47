"""What the Audio Spectrogram Transformer takes in (Gong et al. 2021): and the data's numbers."""

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
# Of log-mel values; the input is divided by two deviations.
AUDIOSET = (-4.2677393, 4.5689974)
STATISTICS: dict[int, tuple[str, float, float]] = {  # by how many classes there are
    527: ("AudioSet", *AUDIOSET),
    50: ("ESC-50", -6.6268077, 5.358466),
    35: ("Speech Commands", -6.845978, 5.5654526),
}
SEVERAL = (
    527  # classes of AudioSet: a recording has 2.7 of them in the mean, and a sigmoid is trained for each
)
PADDING = 0.0  # what stands in log-mel values beyond a recording's end, and is looked at


def spectrograms(frames: int, mean: float, std: float, bins: int = BINS) -> InputSpec:
    """Windows of so many frames of AST's front end; `std` is the deviation itself."""
    sound = replace(PRESETS["ast"], bins=bins)
    return InputSpec(1, bins, frames, (mean,), (2 * std,), scale=1.0, axes=AXES, sound=sound, blank=PADDING)


def several_of(classes: int) -> tuple[bool, tuple[str, ...]]:
    """Return whether a recording may have several of so many classes, as AudioSet's 527, and a note."""
    if classes != SEVERAL:
        return False, ()
    return True, ("several labels for each recording assumed, as in AudioSet: a sigmoid for each class",)


def recordings(preprocessing: Mapping[str, Any], bins: int, frames: int) -> tuple[InputSpec, tuple[str, ...]]:
    """What `preprocessor_config.json` of a feature extractor says.

    Raises OptionError where it is another front end, or contradicts the configuration of the model.
    """
    notes = () if preprocessing else ("no preprocessor_config.json: AudioSet's mean and deviation assumed",)
    wanted = {"sampling_rate": PRESETS["ast"].rate, "num_mel_bins": bins, "max_length": frames}
    found = {key: preprocessing.get(key, value) for key, value in wanted.items()}
    if found != wanted:
        raise OptionError(
            "preprocessing",
            got=", ".join(f"{key} {value}" for key, value in found.items()),
            expected=", ".join(f"{key} {value}" for key, value in wanted.items()),
            do="take both configurations from the same model",
        )
    mean, std = (number(k, preprocessing.get(k, v)) for k, v in zip(("mean", "std"), AUDIOSET, strict=True))
    if not preprocessing.get("do_normalize", True):
        mean, std = 0.0, 0.5
    return spectrograms(frames, mean, std, bins), notes
