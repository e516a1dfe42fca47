"""Batches of samples, and the options of random augmentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from kakera.errors import UnreadableFileError


@dataclass(frozen=True)
class Augmentation:
    """The options of random augmentation; the defaults change nothing.

    For pictures, `crop` is the smallest and largest share of the area of a random-size crop, and `ratio` the
    smallest and largest aspect ratio. `shift` is the largest shift in pixels. With `flip`, half of the
    pictures are mirrored.

    Recordings are shifted circularly by up to `time_shift` seconds, made louder or softer by up to `gain`
    decibels, and mixed with white noise of up to `noise` times their root mean square.

    Example:

        >>> Augmentation(crop=(0.2, 1.0), flip=True).shift
        0
    """

    crop: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    shift: int = 0
    flip: bool = False
    time_shift: float = 0.0
    gain: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class Batch:
    """A batch of pictures or recordings.

    `pictures` is uint8 (b, c, H, W). `labels` is int64 (b,), or float (b, classes) if multi-label; None
    without labels. `samples` (b,) are the numbers of the samples in the data set.

    For recordings, `pictures` are waveforms float32 (b, samples). They are zero from `lengths` (b,) on, and
    `starts` (b,) are their first samples in the recordings, all in samples.

    `rows` (b,) are the positions among the `whole` samples of the step. The other positions belong to other
    processes or to unreadable files. `rows` is None if the batch contains the whole step. `unreadable` lists
    the errors of files that could not be read.

    Example:

        >>> batch = Batch(torch.zeros(2, 3, 8, 8), None, torch.tensor([5, 7]), epoch=0, step=0)
        >>> batch.partners
        tensor([1, 0])
    """

    pictures: Tensor
    labels: Tensor | None
    samples: Tensor
    epoch: int
    step: int
    unreadable: tuple[UnreadableFileError, ...] = ()
    lengths: Tensor | None = None
    starts: Tensor | None = None
    rows: Tensor | None = None
    whole: int = 0
    clipped: tuple[tuple[str, int], ...] = ()
    """Files with values outside of the value range, and the number of such values."""
    mask: Any = None
    """The mask of the batch, as tensors in tuples for the model; None if it is not drawn yet."""
    unlabelled: Batch | None = None
    """A batch of other samples, whose labels are not used; None if the training uses labels alone."""

    @property
    def partners(self) -> Tensor:
        """The row of each sample's partner in this batch, int64 (b,).

        The partner of position i in a step is position `whole` − 1 − i. A sample whose partner is not in the
        batch has its own row.
        """
        rows, whole = self.places
        own = torch.arange(len(rows))
        row_of = torch.full((whole,), -1, dtype=torch.int64)
        row_of[rows] = own
        partners = row_of[whole - 1 - rows]
        return torch.where(partners < 0, own, partners)

    @property
    def places(self) -> tuple[Tensor, int]:
        """`rows` and `whole`, with their values also if `rows` is None."""
        if self.rows is None:
            return torch.arange(len(self.samples)), len(self.samples)
        return self.rows, self.whole

    def blank(self) -> Batch:
        """Return a batch of one sample of zeros, for a process that has no samples but must do the step."""
        labels = None if self.labels is None else self.labels.new_zeros((1, *self.labels.shape[1:]))
        pictures = self.pictures.new_zeros((1, *self.pictures.shape[1:]))
        zero = torch.zeros(1, dtype=torch.int64)
        lengths = None if self.lengths is None else torch.full((1,), pictures.shape[1])
        starts = None if self.starts is None else zero
        return replace(
            self,
            pictures=pictures,
            labels=labels,
            samples=zero,
            lengths=lengths,
            starts=starts,
            rows=zero,
            mask=None,
            unlabelled=None if self.unlabelled is None else self.unlabelled.blank(),
        )

    def to(self, device: torch.device) -> Batch:
        """Return the batch with pictures, labels and mask on `device`.

        From pinned memory, the copy runs in the background.
        """
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """Return the batch with pictures, labels and mask in pinned memory, for fast copies to a GPU."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Apply `change` to pictures, labels and mask; sample numbers and lengths stay on the CPU."""
        pictures, labels, mask = _each_tensor((self.pictures, self.labels, self.mask), change)
        other = None if self.unlabelled is None else self.unlabelled._each(change)
        return replace(self, pictures=pictures, labels=labels, mask=mask, unlabelled=other)


def _each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Apply `change` to each tensor in nested tuples, also in named tuples."""
    if not isinstance(value, tuple):
        return change(value) if isinstance(value, Tensor) else value
    items: tuple[Any, ...] = value
    parts = [_each_tensor(item, change) for item in items]
    make: Any = type(items)
    return make(*parts) if hasattr(make, "_fields") else tuple(parts)
