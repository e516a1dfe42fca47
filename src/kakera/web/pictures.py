"""The pictures of the explorer: samples of a data set, and uploads."""

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
    """Return an `InputSpec` of one pixel with `count` channels, mean 0 and standard deviation 1."""
    return InputSpec(count, 1, 1, (0.0,) * count, (1.0,) * count)


GREY = of_channels(1)


@dataclass(frozen=True)
class Picture:
    """A picture with an id.

    `values` returns it as (H, W, c) uint8 in the channels of a model. It raises UnreadableFileError.
    """

    id: str
    name: str
    values: Callable[[InputSpec], NDArray[np.uint8]]

    def model_input(self, inputs: InputSpec) -> ModelInput:
        """Return the picture cropped to the model's size, as in prediction. Raises UnreadableFileError."""
        return ModelInput(torch.tensor(CenterCrop.of(inputs)(self.values(inputs))))


class PictureStore(Store):
    """The sample pictures of a data set, and uploaded pictures."""

    kind = "picture"

    def __init__(self, samples: Dataset) -> None:
        super().__init__([_sample(samples, number) for number in range(len(samples))])

    def opened(self, content: bytes, identity: str) -> Picture:
        """Check an upload by decoding it once. Raises UnreadableFileError."""

        def values(inputs: InputSpec) -> NDArray[np.uint8]:
            return decode(content, inputs.channels, most_pixels=MOST_PIXELS, ranges=inputs.values)

        header = read_header(content)
        values(of_channels(header.channels) if header is not None and header.many else GREY)
        return Picture(identity, "uploaded picture", values)


def _sample(samples: Dataset, number: int) -> Picture:
    def values(inputs: InputSpec) -> NDArray[np.uint8]:
        dataset = samples.with_channels(inputs.channels)
        return (dataset.with_ranges(inputs.values) if inputs.values else dataset).pictures.read(number)

    return Picture(f"sample-{number + 1}", samples.pictures.title(number), values)
