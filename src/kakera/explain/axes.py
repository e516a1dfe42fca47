"""What the rows and columns of a picture mean: pixels, or hertz and seconds."""

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
    """One direction of a picture."""

    name: str
    unit: str
    edges: NDArray[np.floating[Any]]
    """(length + 1,), rising: pixel i reaches from edge i to edge i + 1, in the unit."""
    step: float = 1.0
    """From one pixel to the next, where that is everywhere the same; else 1, and the measure is a pixel."""
    measure: str = PIXELS
    """What distances along the axis are measured in: `step` of it a pixel."""

    @property
    def length(self) -> int:
        """How many pixels."""
        return len(self.edges) - 1

    def place(self, value: float) -> float:
        """Where a value lies, 0 … 1 of the axis; beyond the ends it stays at them."""
        return float(np.interp(value, self.edges, np.arange(self.length + 1))) / self.length

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """Up to `most` + 1 round values, rising: the place of each, 0 … 1, and its name."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        if self.measure == self.unit:
            step = _round_step((high - low) / most)
            values = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
        else:
            values = _apart([v for v in _decades(high) if v >= low], self, 1 / (most + 1))
        return [(self.place(value), _named(value)) for value in values]


@dataclass(frozen=True, eq=False)
class Axes:
    """Of a picture; `upwards` where its first row is drawn at the bottom."""

    down: Axis
    across: Axis
    upwards: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is a picture in pixels, which needs no scales."""
        return self.down.unit == self.across.unit == PIXELS

    def measures(self) -> list[Measure]:
        """In what distances can be told: as the crow flies in pixels, else along each axis."""
        if self.plain:
            return [Measure("", PIXELS, (1.0, 1.0))]
        return [
            Measure(self.across.name, self.across.measure, (0.0, self.across.step)),
            Measure(self.down.name, self.down.measure, (self.down.step, 0.0)),
        ]


@dataclass(frozen=True)
class Measure:
    """Distances are √((`scale`₀ · rows)² + (`scale`₁ · columns)²), in the unit."""

    axis: str
    """The name of the axis that it goes along; empty for both."""
    unit: str
    scale: tuple[float, float]


def axes_of(inputs: InputSpec, width: int | None = None, start: float = 0.0) -> Axes:
    """The axes of what a model takes in, or of its first `width` columns; `start` is where they begin.

    A frame stands at its middle, and a mel band at its peak; the edges lie halfway between.
    """
    width = inputs.width if width is None else width
    if inputs.sound is None:
        down, across = inputs.axes
        return Axes(
            Axis(down, PIXELS, np.arange(inputs.height + 1.0)), Axis(across, PIXELS, np.arange(width + 1.0))
        )
    down, across = inputs.axes
    hop = inputs.sound.seconds(inputs.sound.hop_samples)
    middle = inputs.sound.seconds(inputs.sound.frame_samples) / 2
    times = start + middle + hop * (np.arange(width + 1) - 0.5)
    return Axes(
        Axis(down, "Hz", _band_edges(inputs.sound), measure="mel bands"),
        Axis(across, "s", times, hop, "s"),
        upwards=True,
    )


def _band_edges(spec: SoundSpec) -> NDArray[np.float64]:
    """(bins + 1,) in hertz: halfway in mel from one peak to the next."""
    marks = np.linspace(mel(spec.low), mel(spec.highest), spec.bins + 2)
    return hertz((marks[:-1] + marks[1:]) / 2)


def _round_step(least: float) -> float:
    """The next larger of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * lead for lead in (1, 2, 5, 10) if power * lead >= least * (1 - 1e-9))


def _decades(high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten up to `high`."""
    powers = range(math.floor(math.log10(high)) + 1)
    return [lead * 10.0**power for power in powers for lead in (1, 2, 5) if lead * 10.0**power <= high]


def _apart(values: list[float], axis: Axis, least: float) -> list[float]:
    """Those that lie at least such a share of the axis below the one before, from the highest down."""
    kept: list[float] = []
    for value in reversed(values):
        if not kept or axis.place(kept[-1]) - axis.place(value) >= least:
            kept.append(value)
    return kept[::-1]


def _named(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:.6g}"
