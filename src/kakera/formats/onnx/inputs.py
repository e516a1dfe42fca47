"""Inputs of an ONNX graph: stored pictures, or waveforms with their lengths."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from kakera.inputs import InputSpec
from kakera.sound.spec import SoundSpec

Axes: TypeAlias = tuple[int | None, ...]
"""The lengths of axes; None for any length."""


class PictureInput:
    """The input of a graph of pictures: (b, c, H, W), stored values from 0 to the scale.

    Example:

        >>> PictureInput(InputSpec(1, 8, 8, (0.5,), (0.5,))).axes
        {'pictures': (None, 1, 8, 8)}
    """

    def __init__(self, inputs: InputSpec) -> None:
        self.inputs = inputs

    @property
    def axes(self) -> dict[str, Axes]:
        """The axes of each input, by its name."""
        return {"pictures": (None, self.inputs.channels, *self.inputs.size)}

    def example(self, count: int, draws: torch.Generator) -> tuple[Tensor, ...]:
        """Return random pictures."""
        pictures = torch.rand(count, self.inputs.channels, *self.inputs.size, generator=draws)
        return (pictures * self.inputs.scale,)

    def configuration(self) -> dict[str, Any]:
        """Return additional fields of `config.json`."""
        return {}

    def preprocessing(self) -> dict[str, Any]:
        """Return `preprocessor_config.json`: the steps before the graph, which normalises pictures itself."""
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
            f"`pictures` are float32, {self.inputs.channels} × {self.inputs.height} × {self.inputs.width}, "
            f"from 0 to {self.inputs.scale:g}: the graph normalises them."
        )


class RecordingInput(PictureInput):
    """The inputs of a graph of recordings: waveforms (b, samples), and their lengths (b,) in samples.

    Example:

        >>> from kakera.formats.foreign.ast_inputs import spectrograms
        >>> inputs = spectrograms(98, mean=-4.25, std=4.5)
        >>> RecordingInput(inputs, inputs.sound).axes
        {'waveforms': (None, 15920), 'lengths': (None,)}
    """

    def __init__(self, inputs: InputSpec, spec: SoundSpec) -> None:
        super().__init__(inputs)
        self.spec, self.samples = spec, spec.samples(inputs.width)

    @property
    def axes(self) -> dict[str, Axes]:
        """The axes of each input, by its name."""
        return {"waveforms": (None, self.samples), "lengths": (None,)}

    def example(self, count: int, draws: torch.Generator) -> tuple[Tensor, ...]:
        """Return random waveforms and lengths; the last one has half the length."""
        lengths = torch.full((count,), self.samples)
        lengths[-1] = self.samples // 2
        waveforms = torch.randn(count, self.samples, generator=draws) / 10
        return waveforms * (torch.arange(self.samples) < lengths.unsqueeze(1)), lengths

    def configuration(self) -> dict[str, Any]:
        """Return the number of samples of a waveform."""
        return {"samples": self.samples}

    def preprocessing(self) -> dict[str, Any]:
        """Return `preprocessor_config.json`: the steps before the graph, which computes spectrograms."""
        return {"sampling_rate": self.spec.rate, "padding_value": 0.0, "feature_size": 1}

    def words(self) -> str:
        """Return a sentence for the card."""
        return (
            f"`waveforms` are mono at {self.spec.rate} Hz, padded with zeros to {self.samples} samples; "
            "`lengths` are the numbers of samples before the padding."
        )


def input_of(inputs: InputSpec) -> PictureInput:
    """Return the graph input for an input specification.

    Example:

        >>> from kakera.formats.foreign.ast_inputs import spectrograms
        >>> list(input_of(spectrograms(98, mean=-4.25, std=4.5)).axes)
        ['waveforms', 'lengths']
    """
    return PictureInput(inputs) if inputs.sound is None else RecordingInput(inputs, inputs.sound)
