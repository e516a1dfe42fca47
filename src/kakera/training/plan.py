"""The plan of a training: data, number of steps, and the part of each batch for this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import Masks, training_batches
from kakera.data.order import BatchSlice
from kakera.errors import OptionError
from kakera.option_fields import or_none
from kakera.training.distributed import Distributed
from kakera.training.options import LearningOptions

if TYPE_CHECKING:
    from kakera.training.frozen_tokens import FrozenTokens

LEAST_STEPS_PER_WARMUP = 8  # steps of a run for each step of warm-up


@dataclass(frozen=True)
class TrainingPlan:
    """The data, options and length of a training.

    `size` is (H, W) of the model's input. `seed` is the seed of order and augmentation, `workers` the number
    of data loading processes, `ema` the decay of the moving average of the weights.

    Example:

        >>> import numpy as np
        >>> from kakera.data.sources.files import open_pictures
        >>> data = open_pictures([np.zeros((8, 8), np.uint8)] * 10, channels=1)
        >>> options = LearningOptions("", batch_size=4, epochs=3)
        >>> plan = TrainingPlan(data, (8, 8), Augmentation(), options, seed=0, workers=0)
        >>> plan.steps_per_epoch, plan.steps
        (2, 6)
    """

    train: Dataset
    size: tuple[int, int]
    augmentation: Augmentation
    options: LearningOptions
    seed: int
    workers: int
    layer_decay: float = 1.0
    ema: float = 0.0
    crop: CenterCrop | None = None
    """The crop of a picture if there is no random crop; None for the largest crop of the shape of `size`."""
    masks: Masks | None = None
    """Draws the mask of a batch when the batch is read; None for no mask."""
    unlabelled: Dataset | None = None
    """Files that are learned without their labels beside the labelled ones; None for none."""
    unlabelled_ratio: int = 0
    """Number of these files in a step for each labelled one."""
    balanced: bool = False
    """True if each class is drawn equally often."""
    frozen: FrozenTokens | None = None
    """The output of frozen layers, with which the steps begin; None to compute it in each step."""

    @property
    def batch(self) -> int:
        """Number of samples per step over all processes, at most the size of the data set."""
        return min(self.options.batch_size, len(self.train))

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps per epoch; the last, incomplete batch of an epoch is left out."""
        return max(1, len(self.train) // self.batch)

    @property
    def steps(self) -> int:
        """Number of steps of the run."""
        return max(round(self.options.epochs * self.steps_per_epoch), self.options.min_steps, 1)

    @property
    def warmup_steps(self) -> int:
        """Number of warm-up steps, with the same share of the steps as of the epochs, at most an eighth.

        So a run with fewer epochs than its recipe is not spent on warm-up.
        """
        share = self.options.warmup_epochs / self.options.epochs
        return min(round(self.steps * share), self.steps // LEAST_STEPS_PER_WARMUP)

    @property
    def balanced_classes(self) -> NDArray[Any] | None:
        """The class of each training file, int (n,), if each class is drawn equally often; else None."""
        return self.train.labels if self.balanced else None

    def batch_slice(self, dist: Distributed) -> BatchSlice:
        """Return the pieces of each batch for this process. Raises OptionError if a batch is too small."""
        each = or_none(self.options.grad_accum) or 1
        pieces = dist.size * each
        if pieces > 1 and self.batch < 2 * pieces:
            raise OptionError(
                "batch_size",
                got=f"{self.batch} for {pieces} pieces ({dist.size} processes × --grad-accum {each})",
                expected=f"at least {2 * pieces} (two pictures per piece)",
                do="use a larger batch or fewer pieces",
            )
        return BatchSlice(dist.rank * each, each, pieces)

    def steps_from(self, start: int, share: BatchSlice, *, pinned: bool = False) -> Iterator[list[Batch]]:
        """Yield the pieces of each step for this process, from step `start` on.

        `pinned` puts them into pinned memory, for a fast copy to a GPU.
        """
        if self.frozen is not None:
            pieces = self.frozen.batches(self, start, share, pinned=pinned)
        else:
            balance = self.balanced_classes
            pieces = self._pieces(self.train, self.batch, start, share, pinned=pinned, classes=balance)
        if self.unlabelled is not None:
            count = min(self.batch * self.unlabelled_ratio, len(self.unlabelled))
            others = self._pieces(self.unlabelled, count, start, share, pinned=pinned)
            pieces = (replace(own, unlabelled=other) for own, other in zip(pieces, others, strict=True))
        while step := list(islice(pieces, share.count)):
            yield step

    def _pieces(
        self,
        dataset: Dataset,
        batch: int,
        start: int,
        share: BatchSlice,
        *,
        pinned: bool,
        classes: NDArray[Any] | None = None,
    ) -> Iterator[Batch]:
        return training_batches(
            dataset,
            self.crop or self.size,
            self.augmentation,
            seed=self.seed,
            batch=batch,
            steps=self.steps,
            start=start,
            workers=self.workers,
            share=share,
            pinned=pinned,
            masks=self.masks,
            classes=classes,
        )
