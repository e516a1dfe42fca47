"""What to train on, for how long, and which part of each batch is this process's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import Masks, training_batches
from kakera.data.order import BatchSlice
from kakera.errors import OptionError
from kakera.option_fields import or_none
from kakera.training.distributed import Distributed
from kakera.training.options import LearningOptions


@dataclass(frozen=True)
class TrainingPlan:
    """What to train on and for how long."""

    train: Dataset
    size: tuple[int, int]
    augmentation: Augmentation
    options: LearningOptions
    seed: int
    workers: int
    layer_decay: float = 1.0
    ema: float = 0.0
    crop: CenterCrop | None = None
    """What is seen of a picture where no random crop is taken; None for the largest of `size`."""
    masks: Masks | None = None
    """Draws what is hidden of a batch, where it is read; None where nothing is."""

    @property
    def batch(self) -> int:
        """Pictures a step, of all processes together: no more than there are."""
        return min(self.options.batch_size, len(self.train))

    @property
    def steps_per_epoch(self) -> int:
        """The last, partial batch is left for another epoch's order."""
        return max(1, len(self.train) // self.batch)

    @property
    def steps(self) -> int:
        """All steps of the run."""
        return max(round(self.options.epochs * self.steps_per_epoch), self.options.min_steps, 1)

    @property
    def warmup_steps(self) -> int:
        """The same share of the steps as of the epochs."""
        return min(round(self.steps * self.options.warmup_epochs / self.options.epochs), self.steps // 2)

    def batch_slice(self, dist: Distributed) -> BatchSlice:
        """The pieces of each batch that this process takes. Raises OptionError where a batch has too few."""
        each = or_none(self.options.grad_accum) or 1
        pieces = dist.size * each
        if pieces > 1 and self.batch < 2 * pieces:
            raise OptionError(
                "batch_size",
                got=f"{self.batch} for {pieces} pieces ({dist.size} processes × --grad-accum {each})",
                expected=f"at least {2 * pieces}, two pictures a piece",
                do="take a larger batch or fewer pieces",
            )
        return BatchSlice(dist.rank * each, each, pieces)

    def steps_from(self, start: int, share: BatchSlice, *, pinned: bool = False) -> Iterator[list[Batch]]:
        """From step `start` on, this process's pieces of each step, `pinned` for a GPU to fetch."""
        pieces = training_batches(
            self.train,
            self.crop or self.size,
            self.augmentation,
            seed=self.seed,
            batch=self.batch,
            steps=self.steps,
            start=start,
            workers=self.workers,
            share=share,
            pinned=pinned,
            masks=self.masks,
        )
        while step := list(islice(pieces, share.count)):
            yield step
