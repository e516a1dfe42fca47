"""Pictures to look at, one by one: of a recording one window, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Bool, Num
from torch import Tensor

from kakera.data.audio.batches import windows_at
from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import evaluation_batches
from kakera.frontend import FrontEnd


@dataclass(frozen=True, eq=False)
class Preview:
    """Stored values (b, c, H, W), and after how many pixels each ends; None where it never does."""

    pictures: Num[Tensor, "b c H W"]
    widths: tuple[int | None, ...]
    padding: Bool[Tensor, "b n"] | None
    """The model's patches beyond those ends, on the CPU; None where there are none."""
    batch: Batch = field(repr=False)
    """What they were made from: numbers of the samples, waveforms, what could not be read."""

    def __len__(self) -> int:
        return len(self.pictures)


def preview(dataset: Dataset, front: FrontEnd, start: float = 0.0) -> Preview:
    """All pictures of a data set as a model sees them; of recordings the window from `start` seconds on.

    What cannot be read is named in the batch.
    """
    inputs = front.inputs
    if inputs.sound is None:
        batch = next(evaluation_batches(dataset, CenterCrop.of(inputs), batch=len(dataset)))
    else:
        first = round(start * inputs.sound.rate)
        batch = windows_at(dataset, inputs.sound.samples(inputs.width), first)
    widths = front.widths(batch.lengths)
    ends = [inputs.width] * len(batch.samples) if widths is None else widths.tolist()
    return Preview(
        front.stored(batch.pictures, batch.lengths),
        tuple(end if end < inputs.width else None for end in ends),
        front.padding(widths),
        batch,
    )
