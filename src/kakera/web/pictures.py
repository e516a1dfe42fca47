"""Pictures that can be asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.images.decode import decode
from kakera.data.images.tiff import read_header
from kakera.inputs import InputSpec
from kakera.web.store import ModelInput, Store

MOST_PIXELS = 40_000_000  # of an upload


def of_channels(count: int) -> InputSpec:
    """Inputs of one pixel."""
    return InputSpec(count, 1, 1, (0.0,) * count, (1.0,) * count)


GREY = of_channels(1)


@dataclass(frozen=True)
class Picture:
    """`values` gives (H, W, c) in 0 … 255 as a model's inputs take it. Raises UnreadableFileError."""

    id: str
    name: str
    values: Callable[[InputSpec], NDArray[np.uint8]]

    def model_input(self, inputs: InputSpec) -> ModelInput:
        """Cut to the model's size, as in prediction. Raises UnreadableFileError."""
        return ModelInput(torch.tensor(CenterCrop.of(inputs)(self.values(inputs))))


class PictureStore(Store):
    """Pictures of a data set, and uploads."""

    kind = "picture"

    def __init__(self, samples: Dataset) -> None:
        super().__init__([_sample(samples, number) for number in range(len(samples))])

    def opened(self, content: bytes, identity: str) -> Picture:
        """Decoded once: only whole pictures are kept."""

        def values(inputs: InputSpec) -> NDArray[np.uint8]:
            return decode(content, inputs.channels, most_pixels=MOST_PIXELS, ranges=inputs.values)

        found = read_header(content)
        values(of_channels(found.channels) if found is not None and found.many else GREY)
        return Picture(identity, "uploaded picture", values)


def _sample(samples: Dataset, number: int) -> Picture:
    def values(inputs: InputSpec) -> NDArray[np.uint8]:
        found = samples.with_channels(inputs.channels)
        return (found.with_ranges(inputs.values) if inputs.values else found).pictures.read(number)

    return Picture(f"sample-{number + 1}", samples.pictures.title(number), values)
