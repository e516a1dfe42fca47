"""What a model takes in: channels, size, value range, mean and deviation, names of the axes.

The specification is stored with the weights, so a prediction treats its input as training did.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from kakera.errors import OptionError
from kakera.sound.spec import SoundSpec

if TYPE_CHECKING:
    from torch import Tensor

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")  # Pillow's filters
MOST = 1e15  # means, deviations and scales: with larger ones, values leave float32
CROPPING = ("crop_pct", "resize", "interpolation", "crop_offset")  # fields that only evaluation looks at
BEFORE = (96, 224 / 256)  # of files without `crop_pct`: from this side on, this share was seen


@dataclass(frozen=True)
class InputSpec:
    """How stored values become what the model sees: ((x / scale) − mean) / std, channel by channel.

    `height` and `width` are in pixels (mel bands and frames, where `axes` says so); `mean` and `std` have
    one number a channel, in units of x / scale (0 … 1 for 8-bit pictures, whose scale is 255).
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 255.0
    axes: tuple[str, str] = ("height", "width")
    sound: SoundSpec | None = None
    """How a recording becomes such a picture: `height` mel bands, lowest first, by `width` frames."""
    blank: float | None = None
    """What stands beyond a recording's end, in stored values, and is looked at; None: patches there are
    absent."""
    crop_pct: float = 1.0
    """Of pictures: the share of the largest centre crop that is seen, where `resize` is empty."""
    resize: tuple[int, ...] = ()
    """Of pictures: resized before the centre crop, the shorter side to (a,), or all to (height, width)."""
    interpolation: str = "bicubic"
    """Of pictures: the filter that resizes them, by Pillow's name."""
    crop_offset: str = "floor"
    """Which way half a pixel of a centre crop after `resize` is rounded: floor, or even as in torchvision."""

    values: tuple[tuple[str, float, float], ...] = ()
    """Of deep pictures (16 bits, 32 bits, floats): what of each kind is 0 (black) and what 255 (white)."""

    def __post_init__(self) -> None:
        if self.channels < 1 or self.height < 1 or self.width < 1:
            raise OptionError(
                "input",
                got=f"{self.channels} channels of {self.height} x {self.width}",
                expected="positive numbers",
                do="check --channels and --image-size",
            )
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise OptionError(
                "mean and std",
                got=f"{len(self.mean)} and {len(self.std)} values",
                expected=f"one for each of {self.channels} channels",
                do="leave them out to have them measured",
            )
        if not all(1 / MOST < value < MOST for value in (*self.std, self.scale)):
            got, expected = f"{self.std} and {self.scale}", f"positive numbers, {1 / MOST:.0e} to {MOST:.0e}"
            raise OptionError("std and scale", got=got, expected=expected, do="correct them")
        if not all(-MOST < value < MOST for value in self.mean):
            expected = f"numbers up to {MOST:.0e}"
            raise OptionError("mean", got=self.mean, expected=expected, do="correct it")
        self._require_cropping()
        if self.sound is not None and (self.channels, self.height) != (1, self.sound.bins):
            raise OptionError(
                "input",
                got=f"{self.channels} channels of {self.height} rows",
                expected=f"one channel of {self.sound.bins} mel bands",
                do="make the height the number of bands",
            )

    def _require_cropping(self) -> None:
        sides = self.resize if len(self.resize) != 1 else self.resize * 2
        fits = not sides or (len(sides) == 2 and sides[0] >= self.height and sides[1] >= self.width)
        names = self.interpolation in INTERPOLATIONS and self.crop_offset in ("floor", "even")
        if not (fits and names and 0 < self.crop_pct <= 1):
            raise OptionError(
                "centre crop",
                got=f"crop_pct {self.crop_pct}, resize {list(self.resize)}, {self.interpolation} for "
                f"{self.height} x {self.width} pixels",
                expected=f"a share up to 1, sides as long, one of {', '.join(INTERPOLATIONS)}",
                do="correct them",
            )

    def resized(self, size: tuple[int, int]) -> InputSpec:
        """The same for pictures of another size (height, width): `resize` keeps its ratio to it."""
        sides = self.resize
        if len(sides) == 1:
            sides = (max(round(sides[0] * min(size) / min(self.size)), *size),)
        elif sides:
            sides = tuple(
                max(round(a * new / old), new) for a, new, old in zip(sides, size, self.size, strict=True)
            )
        return replace(self, height=size[0], width=size[1], resize=sides)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    def normalize(self, pictures: Tensor) -> Tensor:
        """Stored values (b, c, H, W), uint8 or float, to float values for the model."""
        mean, std = self._columns(pictures)
        return (pictures / self.scale - mean) / std

    def denormalize(self, pictures: Tensor) -> Tensor:
        """The inverse of `normalize`, as floats: values of the model (b, c, H, W) to stored values."""
        mean, std = self._columns(pictures)
        return (pictures * std + mean) * self.scale

    def to_unit(self, pictures: Tensor) -> Tensor:
        """Stored values as they are drawn, from 0 (black) to 1 (white).

        Of pictures shares of the scale; of spectrograms three deviations to either side of the mean.
        """
        if self.sound is None:
            return pictures / self.scale
        return self.normalize(pictures) / 6 + 0.5

    def from_unit(self, shares: Tensor) -> Tensor:
        """The inverse of `shares`: values 0 … 1 as they are drawn to stored values."""
        if self.sound is None:
            return shares * self.scale
        return self.denormalize((shares - 0.5) * 6)

    def _columns(self, like: Tensor) -> tuple[Tensor, Tensor]:
        import torch

        dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
        columns = torch.tensor([self.mean, self.std], dtype=dtype, device=like.device)
        mean, std = columns.reshape(2, self.channels, 1, 1)
        return mean, std

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values, for `kakera.json`; how recordings are cropped is left out."""
        found = {name: value for name, value in asdict(self).items() if value is not None}
        if not self.values:
            del found["values"]
        return found if self.sound is None else {n: v for n, v in found.items() if n not in CROPPING}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> InputSpec:
        """The inverse of `to_json`."""
        listed: dict[str, Any] = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
        if "values" in values:
            listed["values"] = tuple((str(kind), float(a), float(b)) for kind, a, b in values["values"])
        if "crop_pct" not in values and "sound" not in values:
            least, share = BEFORE
            listed["crop_pct"] = share if min(values["height"], values["width"]) >= least else 1.0
        if "sound" in values:
            listed["sound"] = SoundSpec(**values["sound"])
        return cls(**{**values, **listed})
