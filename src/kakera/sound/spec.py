"""The specification of a log-mel spectrogram: all its numbers. This module does not import torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

from kakera.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor

Samples = TypeVar("Samples", int, "Tensor")
Window: TypeAlias = Literal["hann", "povey", "hamming", "blackman", "rectangular", "periodic hann"]
Triangles: TypeAlias = Literal["mel", "hertz"]

MIX = -1  # in place of a channel's number: the mean of all channels
CHANNELS = {"mix": MIX, "left": 0, "right": 1}  # names that stand for numbers
FLOOR = 2.0**-23  # float32's epsilon, 1.1920929e-7: no energy is smaller
LEAST_RATE, MOST_RATE = 1_000, 768_000  # Hz


def _require(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise OptionError(f"sound's {name}", got=value, expected=expected, do="correct it")


@dataclass(frozen=True)
class SoundSpec:
    """A Kaldi-compatible log-mel spectrogram (Povey et al. 2011); the defaults are AST's (Gong et al. 2021).

    Frames that would extend beyond the end are left out ("snip edges"), unless `padded` is set. There is no
    dither and no energy band. Raises OptionError for values that cannot be used.

    Example:

        >>> spec = SoundSpec()
        >>> spec.frames(16_000), spec.frame_samples, spec.hop_samples
        (98, 400, 160)
    """

    rate: int = 16_000
    """Sample rate in hertz; recordings are resampled to it."""
    channel: int = MIX
    """The channel to use, counted from 0; −1 is the mean of all channels (by name: left, right, mix)."""
    frame: float = 25.0
    """Length of a frame in milliseconds, rounded down to whole samples."""
    hop: float = 10.0
    """Time from one frame to the next, in milliseconds."""
    fft: int = 0
    """Points of the Fourier transform; 0 selects the smallest power of two that holds a frame."""
    window: Window = "hann"
    """The window function, symmetric except "periodic hann"; povey is hann to the power of 0.85."""
    preemphasis: float = 0.97
    """y_j = x_j − preemphasis · x_(j−1) within a frame; the first sample is its own predecessor."""
    centred: bool = True
    """True subtracts the mean from each frame."""
    power: float = 2.0
    """Exponent of the magnitudes: 2 for a power spectrum."""
    bins: int = 128
    """Number of mel bands: triangles on the HTK scale, with height 1."""
    low: float = 20.0
    """Lower edge of the lowest band, in hertz."""
    high: float = 0.0
    """Upper edge of the highest band, in hertz; 0 is half the sample rate, and less counts down from it."""
    floor: float = FLOOR
    """Smallest energy; lower energies are raised to it before the logarithm."""
    triangles: Triangles = "mel"
    """The unit in which a triangle rises and falls linearly: mel, as in Kaldi, or hertz."""
    padded: bool = False
    """True mirrors half a frame before and after the recording: the first frame is centred on sample 0."""
    top_db: float = 0.0
    """Largest distance in decibels below the loudest value of a window; 0 is no limit."""

    def __post_init__(self) -> None:
        _require(LEAST_RATE <= self.rate <= MOST_RATE, "rate", self.rate, f"{LEAST_RATE} to {MOST_RATE} Hz")
        _require(self.channel >= MIX, "channel", self.channel, "a number from 0, or −1 for the mean of all")
        _require(self.frame_samples >= 2, "frame", f"{self.frame} ms", "at least two samples")
        _require(self.hop_samples >= 1, "hop", f"{self.hop} ms", "at least one sample")
        _require(self.points >= self.frame_samples, "fft", self.fft, f"at least {self.frame_samples} points")
        _require(self.window in get_args(Window), "window", self.window, ", ".join(get_args(Window)))
        _require(0 <= self.preemphasis <= 1, "preemphasis", self.preemphasis, "a number from 0 to 1")
        _require(self.power > 0, "power", self.power, "a positive number")
        _require(self.bins >= 1, "bins", self.bins, "a positive number")
        _require(self.floor > 0, "floor", self.floor, "a positive number")
        _require(self.triangles in get_args(Triangles), "triangles", self.triangles, "mel or hertz")
        _require(self.top_db >= 0, "top_db", self.top_db, "0 or a positive number")
        band = f"{self.low:g} to {self.highest:g} Hz"
        _require(
            0 <= self.low < self.highest <= self.rate / 2, "band", band, f"within 0 to {self.rate / 2:g} Hz"
        )

    @property
    def frame_samples(self) -> int:
        """The number of samples in a frame."""
        return int(self.rate * self.frame / 1000)

    @property
    def hop_samples(self) -> int:
        """The number of samples from one frame to the next."""
        return int(self.rate * self.hop / 1000)

    @property
    def points(self) -> int:
        """The number of points of the Fourier transform."""
        return self.fft or 1 << (self.frame_samples - 1).bit_length()

    @property
    def highest(self) -> float:
        """The upper edge of the highest band, in hertz."""
        return self.high if self.high > 0 else self.rate / 2 + self.high

    def frames(self, samples: int) -> int:
        """Return the number of whole frames in this number of samples."""
        return max(0, self.frames_within(samples))

    def frames_within(self, samples: Samples) -> Samples:
        """Return the same as `frames` for an integer, a tensor or an array; below 1 if no frame fits."""
        return 1 + (samples if self.padded else samples - self.frame_samples) // self.hop_samples

    def samples(self, frames: int) -> int:
        """Return the number of samples that this number of frames covers."""
        first = 0 if self.padded else self.frame_samples
        return first + (frames - 1) * self.hop_samples if frames > 0 else 0

    def seconds(self, samples: int) -> float:
        """Return the duration of this number of samples, in seconds."""
        return samples / self.rate

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values."""
        return asdict(self)


PRESETS: dict[str, SoundSpec] = {
    # Gong et al. 2021: 10 ms steps; with 512 points and 128 bands some of the lowest bands are empty
    "ast": SoundSpec(),
    # Kaldi's customary features for speech
    "speech": SoundSpec(window="povey", bins=80),
    # longer frames and the full band, so that neighbouring low notes fall into different bands
    "music": SoundSpec(rate=32_000, frame=64.0, hop=16.0, bins=128, low=30.0),
}


def preset(words: str) -> SoundSpec:
    """Return the preset with this name, with changes if there are any: "speech,bins=64,high=7000".

    Raises OptionError for an unknown name, an unknown option or a value that cannot be used.

    Example:

        >>> preset("speech,bins=64").bins
        64
    """
    name, *changes = (word.strip() for word in words.split(","))
    if name not in PRESETS:
        raise OptionError(
            "sound", got=name, expected="one of " + ", ".join(PRESETS), do="choose one of these"
        )
    known = {field.name: type(getattr(PRESETS[name], field.name)) for field in fields(SoundSpec)}
    values: dict[str, Any] = {}
    for change in changes:
        key, _, text = change.partition("=")
        _require(key in known, "changes", change, "some of " + ", ".join(f"{key}=" for key in known))
        if key == "channel":
            text = str(CHANNELS.get(text.lower(), text))
        try:
            values[key] = text.lower() == "true" if known[key] is bool else known[key](text)
        except ValueError:
            names = " or " + ", ".join(CHANNELS) if key == "channel" else ""
            _require(False, key, text, "a number" + names)
    return replace(PRESETS[name], **values)
