"""Model inputs of single samples, for display: pictures, or one window of each recording."""

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
    """Stored values (b, c, H, W), and the width in pixels of each sample before its padding.

    A width is None for a sample without padding. See `preview`.
    """

    pictures: Num[Tensor, "b c H W"]
    widths: tuple[int | None, ...]
    padding: Bool[Tensor, "b n"] | None
    """Padding mask of the model's patches (True = padding), on the CPU; None if there is no padding."""
    batch: Batch = field(repr=False)
    """The batch they come from: sample numbers, waveforms, unreadable files."""

    def __len__(self) -> int:
        return len(self.pictures)


def preview(dataset: Dataset, front: FrontEnd, start: float = 0.0) -> Preview:
    """Return the model input of all samples of a data set.

    For recordings it is the window that starts at `start` seconds. Several pictures are cropped to one size,
    also for a model of any shape. The batch lists unreadable files.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.inputs import InputSpec
        >>> front = FrontEnd(InputSpec(1, 28, 28, (0.5,), (0.25,)))
        >>> shown = preview(open_dataset("demo").take([0, 1]), front)
        >>> shown.pictures.shape, shown.widths
        (torch.Size([2, 1, 28, 28]), (None, None))
    """
    inputs = front.inputs
    if inputs.sound is None:
        own = (
            inputs.for_picture(dataset.pictures.size(0)) if inputs.any_shape and len(dataset) == 1 else inputs
        )
        batch = next(evaluation_batches(dataset, CenterCrop.of(own), batch=len(dataset)))
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
