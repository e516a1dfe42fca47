"""The meaning of the rows and columns of a picture: pixels, or hertz and seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.inputs import InputSpec
from kakera.sound.bank import hertz, mel
from kakera.sound.spec import SoundSpec

PIXELS = "pixels"


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a picture.

    Example:

        >>> axis = Axis("width", PIXELS, np.arange(9.0))
        >>> axis.length, axis.place(2.0)
        (8, 0.25)
    """

    name: str
    unit: str
    edges: NDArray[np.floating[Any]]
    """The pixel edges (length + 1,), rising: pixel i is from edge i to edge i + 1, in the unit."""
    step: float = 1.0
    """The size of a pixel in the measure, if all pixels have the same size; otherwise 1."""
    measure: str = PIXELS
    """The unit of distances along the axis: a pixel is `step` of it."""

    @property
    def length(self) -> int:
        """The number of pixels."""
        return len(self.edges) - 1

    def place(self, value: float) -> float:
        """Return the position of a value along the axis, 0 … 1; values outside get 0 or 1."""
        return float(np.interp(value, self.edges, np.arange(self.length + 1))) / self.length

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """Return up to `most` + 1 round values, rising: the position of each, 0 … 1, and its label."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        if self.measure == self.unit:
            step = _round_step((high - low) / most)
            values = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
        else:
            values = _apart([v for v in _decades(high) if v >= low], self, 1 / (most + 1))
        return [(self.place(value), _named(value)) for value in values]


@dataclass(frozen=True, eq=False)
class Axes:
    """The two axes of a picture; with `upwards`, its first row is drawn at the bottom.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> axes_of(inputs).plain
        True
    """

    down: Axis
    across: Axis
    upwards: bool = False

    @property
    def plain(self) -> bool:
        """True if both axes are in pixels, so that no axis labels are needed."""
        return self.down.unit == self.across.unit == PIXELS

    def measures(self) -> list[Measure]:
        """Return the measures for distances: straight lines in pixels, or one measure along each axis."""
        if self.plain:
            return [Measure("", PIXELS, (1.0, 1.0))]
        return [
            Measure(self.across.name, self.across.measure, (0.0, self.across.step)),
            Measure(self.down.name, self.down.measure, (self.down.step, 0.0)),
        ]


@dataclass(frozen=True)
class Measure:
    """A distance measure √((`scale`₀ · rows)² + (`scale`₁ · columns)²), in `unit`.

    Example:

        >>> Measure("time", "s", (0.0, 0.01)).unit
        's'
    """

    axis: str
    """The name of the axis that the distance is along; empty for both axes."""
    unit: str
    scale: tuple[float, float]


def axes_of(inputs: InputSpec, width: int | None = None, start: float = 0.0) -> Axes:
    """Return the axes of a model's input, or of its first `width` columns, which begin at `start`.

    `start` is in pixels or seconds. For recordings, a frame is at its middle and a mel band at its peak. The
    edges are halfway between them.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=12, mean=(0.5,), std=(0.25,))
        >>> axes_of(inputs).across.length, axes_of(inputs, width=6).across.length
        (12, 6)
    """
    width = inputs.width if width is None else width
    if inputs.sound is None:
        down, across = inputs.axes
        return Axes(
            Axis(down, PIXELS, np.arange(inputs.height + 1.0)), Axis(across, PIXELS, np.arange(width + 1.0))
        )
    down, across = inputs.axes
    hop = inputs.sound.seconds(inputs.sound.hop_samples)
    middle = 0.0 if inputs.sound.padded else inputs.sound.seconds(inputs.sound.frame_samples) / 2
    times = start + middle + hop * (np.arange(width + 1) - 0.5)
    return Axes(
        Axis(down, "Hz", _band_edges(inputs.sound), measure="mel bands"),
        Axis(across, "s", times, hop, "s"),
        upwards=True,
    )


def _band_edges(spec: SoundSpec) -> NDArray[np.float64]:
    """Return the band edges (bins + 1,) in hertz: halfway in mel from one peak to the next."""
    marks = np.linspace(mel(spec.low), mel(spec.highest), spec.bins + 2)
    return hertz((marks[:-1] + marks[1:]) / 2)


def _round_step(least: float) -> float:
    """Return the next larger number of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * lead for lead in (1, 2, 5, 10) if power * lead >= least * (1 - 1e-9))


def _decades(high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten, up to `high`."""
    powers = range(math.floor(math.log10(high)) + 1)
    return [lead * 10.0**power for power in powers for lead in (1, 2, 5) if lead * 10.0**power <= high]


def _apart(values: list[float], axis: Axis, least: float) -> list[float]:
    """Return values at least `least` of the axis length apart, chosen from the highest down."""
    chosen: list[float] = []
    for value in reversed(values):
        if not chosen or axis.place(chosen[-1]) - axis.place(value) >= least:
            chosen.append(value)
    return chosen[::-1]


def _named(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:.6g}"
