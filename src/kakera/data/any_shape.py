"""Evaluation batches of pictures that each keep their shape, for a model of any shape (NaFlex)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset as TorchDataset

from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import Reader
from kakera.data.order import Place
from kakera.data.workers import read_batches
from kakera.errors import UnreadableFileError
from kakera.inputs import InputSpec

WINDOW = 1024  # pictures that are grouped by shape, and whose results wait for each other


def own_shape_batches(
    dataset: Dataset, inputs: InputSpec, *, batch: int, workers: int = 0
) -> Iterator[Batch]:
    """Return an iterator over batches of pictures in their own shapes: each picture once, uncropped.

    A batch has one shape, that of `inputs.for_picture`. The pictures are in order, except that those of each
    `WINDOW` are grouped by their shape. `batch` and `workers` are as in `evaluation_batches`.

    Example:

        >>> import numpy as np
        >>> from kakera.data.sources.files import open_files
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,), any_shape=(4, 8))
        >>> files = open_files([np.zeros((8, width), np.uint8) for width in (8, 16, 8)], inputs)
        >>> [part.samples.tolist() for part in own_shape_batches(files, inputs, batch=2)]
        [[0, 2], [1]]
    """
    reader = OwnShapeReader(dataset, inputs)
    return read_batches(reader, OwnShapeSampler(len(dataset), batch, WINDOW, reader.shape), workers)


class OwnShapeReader(TorchDataset[Any]):
    """A data set that reads batches of pictures in their own shape. See `own_shape_batches`.

    Example:

        >>> import numpy as np
        >>> from kakera.data.sources.files import open_files
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,), any_shape=(4, 8))
        >>> reader = OwnShapeReader(open_files(np.zeros((8, 16), np.uint8), inputs), inputs)
        >>> reader.shape(0), reader.__getitems__([(0, 0, 0, 0)]).pictures.shape
        ((8, 16), torch.Size([1, 1, 8, 16]))
    """

    def __init__(self, dataset: Dataset, inputs: InputSpec) -> None:
        self.dataset, self.inputs = dataset, inputs

    def shape(self, number: int) -> tuple[int, int]:
        """Return the (height, width) of a picture as model input; for an unreadable one the common size."""
        try:
            return self.inputs.for_picture(self.dataset.pictures.size(number)).size
        except UnreadableFileError:  # the batch that reads it lists it
            return self.inputs.size

    def __getitems__(self, places: list[Place]) -> Batch:
        size = self.shape(places[0][2])
        crop = CenterCrop(size, resize=size, interpolation=self.inputs.interpolation)
        return Reader(self.dataset, crop, None, 0, len(self.dataset)).__getitems__(places)


@dataclass(frozen=True, eq=False)
class OwnShapeSampler:
    """A sampler for evaluation that yields every sample once, in batches of one shape.

    `shapes` returns the shape of a sample. The samples of each `window` are grouped by their shape. A batch
    has at most `batch` samples.

    Example:

        >>> sampler = OwnShapeSampler(5, batch=2, window=4, shapes=lambda number: (8, 8 + 8 * (number % 2)))
        >>> [[number for _, _, number, _ in places] for places in sampler]
        [[0, 2], [1, 3], [4]]
    """

    count: int
    batch: int
    window: int
    shapes: Callable[[int], tuple[int, int]]

    def __iter__(self) -> Iterator[list[Place]]:
        step = 0
        for start in range(0, self.count, self.window):
            groups: dict[tuple[int, int], list[int]] = {}
            for number in range(start, min(start + self.window, self.count)):
                groups.setdefault(self.shapes(number), []).append(number)
            for numbers in groups.values():
                for first in range(0, len(numbers), self.batch):
                    yield [(0, step, number, number) for number in numbers[first : first + self.batch]]
                    step += 1
