"""From files to batches, and to what a network takes in: the one way that evaluation and prediction share.

`kakera.data` decodes and cuts; the front end makes pixels of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import evaluation_batches
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.frontend import FrontEnd
from kakera.inputs import InputSpec

BATCH, PIXELS = 256, 2**22  # pictures at a time, and how large they are together: 83 of 224 x 224
WINDOWS = 16  # of recordings at a time: 10 seconds each take 20 MB on their way


def batches(dataset: Dataset, inputs: InputSpec, workers: int = 0) -> Iterator[Batch]:
    """Yield every picture once, as it is evaluated; of a recording its windows one after another.

    As many at a time as fit in little memory. What cannot be read is named in the batch.
    """
    fitting = max(1, min(BATCH, PIXELS // (inputs.height * inputs.width)))
    batch = WINDOWS if dataset.sounds is not None else fitting
    return evaluation_batches(dataset, CenterCrop.of(inputs), batch=batch, workers=workers)


def readable(files: Files, inputs: InputSpec) -> Iterator[Batch]:
    """Yield batches of files, or of what stands for them.

    Raises DataError for what can be no file, UnreadableFileError for the first that cannot be read.
    """
    for batch in batches(open_files(files, inputs), inputs):
        for error in batch.unreadable:
            raise error
        yield batch


def prepare(front: FrontEnd, files: Files, device: torch.device) -> Float[Tensor, "b c H W"]:
    """Return files, or what stands for them, as a network takes them in. Raises as `readable` does."""
    inputs = front.inputs
    found = [torch.zeros(0, inputs.channels, *inputs.size, device=device)]
    for batch in readable(files, inputs):
        found.append(front.pixels(batch.pictures.to(device), batch.lengths))
    return torch.cat(found)
