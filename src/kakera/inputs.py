"""The input specification of a model: channels, size, value range, mean and standard deviation, axis names.

It is stored with the weights, so that prediction treats its input exactly as training did.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from kakera.errors import OptionError
from kakera.sound.spec import SoundSpec

if TYPE_CHECKING:
    from torch import Tensor

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")  # Pillow's filters
MOST = 1e15  # limit of mean, standard deviation and scale: larger ones overflow float32
CROPPING = ("crop_pct", "resize", "interpolation", "crop_offset")  # fields that only evaluation uses
SCALES, EXACT = (1e-6, 100.0), 1e-5  # smallest and largest scale of a picture of any shape, and its error
BEFORE = (96, 224 / 256)  # files without `crop_pct`: pictures of at least this side used this share


@dataclass(frozen=True)
class InputSpec:
    """A specification of how stored values become model inputs: ((x / scale) − mean) / std for each channel.

    `height` and `width` are in pixels (for spectrograms: mel bands and frames, see `axes`). `mean` and `std`
    have one number for each channel, in units of x / scale. For 8-bit pictures `scale` is 255, so these units
    are 0 … 1. Raises OptionError for values that cannot be used.

    Example:

        >>> inputs = InputSpec(channels=1, height=28, width=28, mean=(0.5,), std=(0.25,))
        >>> inputs.size, inputs.scale
        ((28, 28), 255.0)
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 255.0
    axes: tuple[str, str] = ("height", "width")
    sound: SoundSpec | None = None
    """How to compute the spectrogram of a recording: `height` mel bands, lowest first, by `width` frames."""
    blank: float | None = None
    """The stored value of frames beyond the end of a recording, which the model then uses; None marks these
    patches as padding."""
    whole_patches: bool = False
    """For recordings: True marks a patch as padding too if the recording ends within it, except the first."""
    crop_pct: float = 1.0
    """For pictures: the share of the largest centre crop that the model receives, if `resize` is empty."""
    resize: tuple[int, ...] = ()
    """For pictures: the size before the centre crop; (a,) resizes the shorter side to a pixels, (height,
    width) resizes both."""
    interpolation: str = "bicubic"
    """For pictures: the resize filter, by its name in Pillow."""
    crop_offset: str = "floor"
    """How to round half a pixel of a centre crop after `resize`: "floor", or "even" as in torchvision."""
    any_shape: tuple[int, ...] = ()
    """For pictures: (side of a patch, most patches) if each picture keeps its shape, see `for_picture`."""

    values: tuple[tuple[str, float, float], ...] = ()
    """For pictures with 16 bits, 32 bits or floats: for each kind, the values that become 0 (black) and 255
    (white)."""

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
                do="leave them out: kakera then measures them",
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
                do="set the height to the number of mel bands",
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
                expected=f"crop_pct up to 1, sides at least as long, one of {', '.join(INTERPOLATIONS)}",
                do="correct these values",
            )

    def resized(self, size: tuple[int, int]) -> InputSpec:
        """Return the same specification for pictures of another size (height, width).

        `resize` keeps its ratio to the size. The pictures then have this shape, also without `any_shape`.

        Example:

            >>> InputSpec(1, 28, 28, (0.5,), (0.25,), resize=(32,)).resized((56, 56)).resize
            (64,)
        """
        sides = self.resize
        if len(sides) == 1:
            sides = (max(round(sides[0] * min(size) / min(self.size)), *size),)
        elif sides:
            sides = tuple(
                max(round(a * new / old), new) for a, new, old in zip(sides, size, self.size, strict=True)
            )
        return replace(self, height=size[0], width=size[1], resize=sides, any_shape=())

    def for_picture(self, size: tuple[int, int]) -> InputSpec:
        """Return the specification for a picture of `size` (height, width) in pixels.

        Without `any_shape` it is the same one. With it, the picture is resized as a whole, to the largest
        scale at which it has at most that many patches (Tschannen et al. 2025, SigLIP 2, Sec. 2.4.2); both
        sides are rounded up to whole patches. A small picture is enlarged, at most 100 times.

        Example:

            >>> InputSpec(1, 64, 64, (0.5,), (0.25,), any_shape=(16, 16)).for_picture((100, 400)).size
            (32, 128)
        """
        if not self.any_shape:
            return self
        shape = shape_within(size, *self.any_shape)
        return replace(self, height=shape[0], width=shape[1], resize=shape, crop_pct=1.0, any_shape=())

    @property
    def size(self) -> tuple[int, int]:
        """The size (height, width) in pixels."""
        return self.height, self.width

    def normalize(self, pictures: Tensor) -> Tensor:
        """Return model inputs (b, c, H, W), float, from stored values (b, c, H, W), uint8 or float.

        Example:

            >>> import torch
            >>> inputs = InputSpec(1, 2, 2, (0.5,), (0.25,))
            >>> inputs.normalize(torch.tensor([[[[0, 255], [255, 0]]]]))
            tensor([[[[-2.,  2.],
                      [ 2., -2.]]]])
        """
        mean, std = self._columns(pictures)
        return (pictures / self.scale - mean) / std

    def denormalize(self, pictures: Tensor) -> Tensor:
        """Return stored values, float, from model inputs (b, c, H, W): the inverse of `normalize`."""
        mean, std = self._columns(pictures)
        return (pictures * std + mean) * self.scale

    def to_unit(self, pictures: Tensor) -> Tensor:
        """Return stored values as they are displayed, from 0 (black) to 1 (white).

        Pictures are divided by the scale. Spectrograms show the mean plus and minus three standard
        deviations.
        """
        if self.sound is None:
            return pictures / self.scale
        return self.normalize(pictures) / 6 + 0.5

    def from_unit(self, shares: Tensor) -> Tensor:
        """Return stored values from displayed values 0 … 1: the inverse of `to_unit`."""
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
        """Return a dictionary of plain values for `kakera.json`.

        For recordings, the fields about cropping are left out.
        """
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        for name in ("values", "whole_patches", "any_shape"):
            if not fields[name]:
                del fields[name]
        return fields if self.sound is None else {n: v for n, v in fields.items() if n not in CROPPING}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> InputSpec:
        """Return the specification of a dictionary: the inverse of `to_json`.

        Example:

            >>> inputs = InputSpec(1, 28, 28, (0.5,), (0.25,))
            >>> InputSpec.from_json(inputs.to_json()) == inputs
            True
        """
        listed: dict[str, Any] = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
        if "values" in values:
            listed["values"] = tuple((str(kind), float(a), float(b)) for kind, a, b in values["values"])
        if "crop_pct" not in values and "sound" not in values:
            least, share = BEFORE
            listed["crop_pct"] = share if min(values["height"], values["width"]) >= least else 1.0
        if "sound" in values:
            listed["sound"] = SoundSpec(**values["sound"])
        return cls(**{**values, **listed})


def shape_within(size: tuple[int, int], patch: int, most: int) -> tuple[int, int]:
    """Return (height, width) in whole patches for a picture of `size`, with at most `most` patches.

    The scale is the largest possible one, found by bisection to 1e-5 as in the released models' processor.

    Example:

        >>> shape_within((480, 640), patch=16, most=256)
        (224, 288)
    """

    def scaled(scale: float) -> tuple[int, int]:
        height, width = (max(patch, math.ceil(side * scale / patch) * patch) for side in size)
        return height, width

    low, high = SCALES
    while high - low >= EXACT:
        middle = (low + high) / 2
        height, width = scaled(middle)
        if (height // patch) * (width // patch) <= most:
            low = middle
        else:
            high = middle
    return scaled(low)
