"""From files to what a network takes in: the one way that training, evaluation and prediction share.

`kakera.data` decodes and cuts; here a batch of it becomes stored values, and `InputSpec` normalises them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Num
from torch import Tensor

from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import evaluation_batches
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.inputs import InputSpec
from kakera.sound.logmel import blank_after, log_mel
from kakera.sound.spec import SoundSpec

BATCH, PIXELS = 256, 2**22  # pictures at a time, and how large they are together: 83 of 224 x 224
WINDOWS = 16  # of recordings at a time: 10 seconds each take 20 MB on their way


def batches(dataset: Dataset, inputs: InputSpec, workers: int = 0) -> Iterator[Batch]:
    """Yield every picture once, as it is evaluated; of a recording its windows one after another.

    As many at a time as fit in little memory. What cannot be read is named in the batch.
    """
    fitting = max(1, min(BATCH, PIXELS // (inputs.height * inputs.width)))
    batch = WINDOWS if dataset.sounds is not None else fitting
    return evaluation_batches(dataset, CenterCrop.of(inputs), batch=batch, workers=workers)


def prepared(inputs: InputSpec, files: Files, device: torch.device) -> Float[Tensor, "b c H W"]:
    """Return files, or what stands for them, as a network takes them in.

    Raises DataError for what can be no file, UnreadableFileError for the first that cannot be read.
    """
    found = [torch.zeros(0, inputs.channels, *inputs.size, device=device)]
    for batch in batches(open_files(files, inputs), inputs):
        for error in batch.unreadable:
            raise error
        found.append(inputs.normalise(stored(batch.to(device), inputs)))
    return torch.cat(found)


def stored(batch: Batch, inputs: InputSpec) -> Num[Tensor, "b c H W"]:
    """Return stored values (0 … scale, or log-mel): pictures as they are, recordings as spectrograms.

    Where a recording has ended stands the mean, or `blank`.
    """
    spec = inputs.sound
    if spec is None:
        return batch.pictures
    # The front end keeps float32 where the model computes in less.
    with torch.autocast(batch.pictures.device.type, enabled=False):
        spectrograms = log_mel(batch.pictures, spec)
    blank = inputs.mean[0] if inputs.blank is None else inputs.blank
    return blank_after(spectrograms, widths(batch, spec), blank)


def widths(batch: Batch, spec: SoundSpec) -> Tensor:
    """Return how many whole frames each recording of a batch has, (b,)."""
    assert batch.lengths is not None
    return ((batch.lengths - spec.frame_samples) // spec.hop_samples + 1).clamp(min=1)
