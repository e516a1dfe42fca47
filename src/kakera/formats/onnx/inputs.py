"""What enters a graph: stored pictures, or waveforms and where they end."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from kakera.inputs import InputSpec
from kakera.sound.spec import SoundSpec

Axes: TypeAlias = tuple[int | None, ...]
"""Lengths of axes; None for any."""


class PictureInput:
    """Pictures (b, c, H, W) of stored values, 0 … scale."""

    def __init__(self, inputs: InputSpec) -> None:
        self.inputs = inputs

    @property
    def axes(self) -> dict[str, Axes]:
        """The axes of each input, by its name."""
        return {"pictures": (None, self.inputs.channels, *self.inputs.size)}

    def example(self, count: int, draws: torch.Generator) -> tuple[Tensor, ...]:
        """Return noise to enter a graph."""
        pictures = torch.rand(count, self.inputs.channels, *self.inputs.size, generator=draws)
        return (pictures * self.inputs.scale,)

    def configuration(self) -> dict[str, Any]:
        """Return what `config.json` says of it, beside the inputs."""
        return {}

    def preprocessing(self) -> dict[str, Any]:
        """Return what is left to do before the graph, which normalises by itself."""
        return {
            "do_resize": True,
            "size": {"height": self.inputs.height, "width": self.inputs.width},
            "resample": 3,  # bicubic
            "do_rescale": False,
            "do_normalize": False,
        }

    def words(self) -> str:
        """Return a sentence for the card."""
        return (
            f"`pictures` are float32 of {self.inputs.channels} × {self.inputs.height} × {self.inputs.width}, "
            f"0 … {self.inputs.scale:g}: the graph normalises them."
        )


class RecordingInput(PictureInput):
    """Waveforms (b, samples), and how many of the samples are recorded, (b,)."""

    def __init__(self, inputs: InputSpec, spec: SoundSpec) -> None:
        super().__init__(inputs)
        self.spec, self.samples = spec, spec.samples(inputs.width)

    @property
    def axes(self) -> dict[str, Axes]:
        """The axes of each input, by its name."""
        return {"waveforms": (None, self.samples), "lengths": (None,)}

    def example(self, count: int, draws: torch.Generator) -> tuple[Tensor, ...]:
        """Return noise to enter a graph, the last one half as long."""
        lengths = torch.full((count,), self.samples)
        lengths[-1] = self.samples // 2
        waveforms = torch.randn(count, self.samples, generator=draws) / 10
        return waveforms * (torch.arange(self.samples) < lengths.unsqueeze(1)), lengths

    def configuration(self) -> dict[str, Any]:
        """Return the number of samples."""
        return {"samples": self.samples}

    def preprocessing(self) -> dict[str, Any]:
        """Return what is left to do before the graph, which makes spectrograms by itself."""
        return {"sampling_rate": self.spec.rate, "padding_value": 0.0, "feature_size": 1}

    def words(self) -> str:
        """Return a sentence for the card."""
        return (
            f"`waveforms` are mono at {self.spec.rate} Hz, filled up with zeros to {self.samples} samples; "
            "`lengths` says how many of them are recorded."
        )


def input_of(inputs: InputSpec) -> PictureInput:
    """Return what enters a graph with these inputs."""
    return PictureInput(inputs) if inputs.sound is None else RecordingInput(inputs, inputs.sound)
