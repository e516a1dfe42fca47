"""What training is given at a time, and how its samples are drawn anew each epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from kakera.errors import UnreadableFileError


@dataclass(frozen=True)
class Augmentation:
    """Of pictures the share of a random-size crop, a shift in pixels, a mirror; of recordings the rest.

    A recording is turned around by up to `roll` seconds, made louder or softer by up to `gain` decibels, and
    given white noise of up to `noise` times its own root mean square.
    """

    crop: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    shift: int = 0
    flip: bool = False
    roll: float = 0.0
    gain: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Pictures (b, c, H, W) uint8; labels int64 (b,) or float (b, classes); numbers of the samples (b,).

    Of recordings `pictures` are waveforms (b, samples), zero from `lengths` (b,) on, and `starts` (b,) says
    where in the recording each begins, all in samples. `rows` (b,) are places among the `whole` samples of a
    step, of which other processes may have others and some may be unreadable; None where all are here.
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
    """Files with values outside of their range, and how many."""
    mask: Any = None
    """What is hidden of the samples: tensors in tuples, as the model takes them in; None if not drawn yet."""

    @property
    def partners(self) -> Tensor:
        """(b,): where the sample with the mirrored place in the step stands; its own if not here."""
        rows, whole = self.places
        here = torch.arange(len(rows))
        found = torch.full((whole,), -1, dtype=torch.int64)
        found[rows] = here
        partners = found[whole - 1 - rows]
        return torch.where(partners < 0, here, partners)

    @property
    def places(self) -> tuple[Tensor, int]:
        """`rows` and `whole`, spelled out."""
        if self.rows is None:
            return torch.arange(len(self.samples)), len(self.samples)
        return self.rows, self.whole

    def blank(self) -> Batch:
        """One empty sample in place of none, for a process that must keep up with the others."""
        labels = None if self.labels is None else self.labels.new_zeros((1, *self.labels.shape[1:]))
        pictures = self.pictures.new_zeros((1, *self.pictures.shape[1:]))
        one = torch.zeros(1, dtype=torch.int64)
        lengths = None if self.lengths is None else torch.full((1,), pictures.shape[1])
        starts = None if self.starts is None else one
        return replace(
            self,
            pictures=pictures,
            labels=labels,
            samples=one,
            lengths=lengths,
            starts=starts,
            rows=one,
            mask=None,
        )

    def to(self, device: torch.device) -> Batch:
        """What the model works on, moved, while the program goes on where it is pinned."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """What the model works on in memory that a GPU can fetch by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """What the model works on, changed; numbers of samples and lengths stay on the CPU."""
        pictures, labels, mask = _each_tensor((self.pictures, self.labels, self.mask), change)
        return replace(self, pictures=pictures, labels=labels, mask=mask)


def _each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same tuples, named or not, of changed tensors."""
    if not isinstance(value, tuple):
        return change(value) if isinstance(value, Tensor) else value
    items: tuple[Any, ...] = value
    parts = [_each_tensor(item, change) for item in items]
    make: Any = type(items)
    return make(*parts) if hasattr(make, "_fields") else tuple(parts)
