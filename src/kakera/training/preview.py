"""Pictures to look at, one by one: of a recording one window, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Num
from torch import Tensor

from kakera.data.audio.batches import windows_at
from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import evaluation_batches
from kakera.formats.preparation import stored, widths
from kakera.inputs import InputSpec


@dataclass(frozen=True, eq=False)
class Shown:
    """Stored values (b, c, H, W), and after how many pixels each ends; None where it never does."""

    pictures: Num[Tensor, "b c H W"]
    widths: tuple[int | None, ...]
    batch: Batch = field(repr=False)
    """What they were made from: numbers of the samples, waveforms, what could not be read."""

    def __len__(self) -> int:
        return len(self.pictures)


def shown(dataset: Dataset, inputs: InputSpec, start: float = 0.0) -> Shown:
    """All pictures of a data set as a model sees them; of recordings the window from `start` seconds on.

    What cannot be read is named in the batch.
    """
    if inputs.sound is None:
        batch = next(evaluation_batches(dataset, CenterCrop.of(inputs), batch=len(dataset)))
        return Shown(batch.pictures, (None,) * len(batch.samples), batch)
    first = round(start * inputs.sound.rate)
    batch = windows_at(dataset, inputs.sound.samples(inputs.width), first)
    ends = widths(batch, inputs.sound).tolist()
    return Shown(stored(batch, inputs), tuple(end if end < inputs.width else None for end in ends), batch)
