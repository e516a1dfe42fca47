"""Preparation of files as batches and input pixels, shared by evaluation and prediction.

`kakera.data` decodes and crops files; the front end turns a batch into input pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from kakera.data.any_shape import own_shape_batches
from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import evaluation_batches
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.errors import OptionError
from kakera.frontend import FrontEnd
from kakera.inputs import InputSpec

BATCH, PIXELS = (
    256,
    2**22,
)  # limits of a batch: pictures, and pixels of all together (83 pictures of 224 x 224)
WINDOWS = 16  # windows of recordings in a batch: with 10 seconds each they take 20 MB


def batches(dataset: Dataset, inputs: InputSpec, workers: int = 0) -> Iterator[Batch]:
    """Yield batches of every picture, centre-cropped as in evaluation; a recording as its windows in order.

    Pictures of any shape are not in order, see `own_shape_batches`.
    The batch size follows from the picture size, so that a batch needs little memory. A batch lists its
    unreadable files. `workers` is the number of reading processes; 0 reads in this process.

    Example:

        >>> import numpy as np
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> files = open_files([np.zeros((8, 8), np.uint8)] * 3, inputs)
        >>> [len(batch.samples) for batch in batches(files, inputs)]
        [3]
    """
    fitting = max(1, min(BATCH, PIXELS // (inputs.height * inputs.width)))
    batch = WINDOWS if dataset.sounds is not None else fitting
    if inputs.any_shape and dataset.sounds is None:
        return own_shape_batches(dataset, inputs, batch=batch, workers=workers)
    return evaluation_batches(dataset, CenterCrop.of(inputs), batch=batch, workers=workers)


def readable(files: Files, inputs: InputSpec) -> Iterator[Batch]:
    """Yield batches of files; `files` are as in `Pretrained.prepare`.

    Raises DataError for an object that is no file, and UnreadableFileError for the first unreadable file.

    Example:

        >>> import numpy as np
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> [batch.pictures.shape for batch in readable(np.zeros((8, 8), np.uint8), inputs)]
        [torch.Size([1, 1, 8, 8])]
    """
    for batch in batches(open_files(files, inputs), inputs):
        for error in batch.unreadable:
            raise error
        yield batch


def prepare(front: FrontEnd, files: Files, device: torch.device) -> Float[Tensor, "b c H W"]:
    """Return files as input pixels (b, c, H, W) on a device.

    Raises OptionError for pictures that keep several shapes, and the errors of `readable`.

    Example:

        >>> import numpy as np
        >>> front = FrontEnd(InputSpec(1, 8, 8, (0.5,), (0.5,)), None)
        >>> prepare(front, np.zeros((8, 8), np.uint8), torch.device("cpu")).unique().tolist()
        [-1.0]
    """
    inputs = front.inputs
    pixels = [front.pixels(batch.pictures.to(device), batch.lengths) for batch in readable(files, inputs)]
    sizes = sorted({(part.shape[2], part.shape[3]) for part in pixels})
    if len(sizes) > 1:
        got, do = f"pictures of {len(sizes)} shapes", "pass them one by one, or load with image_size="
        raise OptionError("files", got=got, expected="one shape for an array", do=do)
    return torch.cat(pixels or [torch.zeros(0, inputs.channels, *inputs.size, device=device)])
