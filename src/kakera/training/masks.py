"""The masks of a batch in pretraining, drawn on the CPU where the batch is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kakera import seeding
from kakera.data.loader import Batch
from kakera.frontend import FrontEnd
from kakera.masking import MASKINGS, PatchIds, choose_subset_ids
from kakera.model.token_index import MaskIndex, TokenIndex
from kakera.training.options import PretrainOptions


@dataclass(frozen=True)
class Masks:
    """A function that draws the masks of a batch.

    The mask of a sample depends only on (seed, epoch, sample). It is called when the batch is read, on the
    CPU, in any process.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.mae import MAE
        >>> inputs, options = InputSpec(1, 8, 8, (0.5,), (0.5,)), PretrainOptions("pictures", mask_ratio=0.5)
        >>> batch = Batch(torch.zeros(2, 1, 8, 8), None, torch.arange(2), epoch=0, step=0)
        >>> masks = Masks(FrontEnd.of(MAE("nano", channels=1, image_size=8), inputs), options)
        >>> masks(batch).visible.ids.shape
        torch.Size([2, 2])
    """

    front: FrontEnd
    options: PretrainOptions

    def __call__(self, batch: Batch) -> MaskIndex:
        """Return the index tensors of a batch on the CPU; `batch.lengths` determine the padding."""
        options, front = self.options, self.front
        padding_mask = front.padding(front.widths(batch.lengths))
        padding = None if padding_mask is None else padding_mask.numpy()
        split = MASKINGS[options.masking].split_ids(
            self._noise(batch, "mask"), front.grid, options.mask_ratio, padding
        )
        predicted = split.hidden
        if options.predicted < 1:
            predicted = choose_subset_ids(self._noise(batch, "predicted"), predicted, options.predicted)
        index = MaskIndex.joined(_tensors(split.visible), _tensors(predicted), padding_mask)
        return index if options.decoded == 1 else index.decoded(*self._rows(batch))

    def _rows(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the rows for the decoder, evenly spaced in the whole step, and the factor of their loss.

        With the factor, the pieces of a step have together the loss of the whole step. A piece without such a
        row has one with the factor 0. Recordings have no factor, because their pieces are weighted by
        predicted patches; with a global target, pieces then change their loss a little.
        """
        places, whole = batch.places
        step = int(self._decoded(torch.arange(whole)).sum())
        chosen = self._decoded(places).nonzero()[:, 0]
        scale = len(chosen) * whole / (len(places) * step)
        rows = chosen if len(chosen) else torch.zeros(1, dtype=torch.int64)
        return rows, torch.tensor(scale) if batch.lengths is None else None

    def _decoded(self, places: Tensor) -> Tensor:
        """Return True for the places in a step that the decoder receives: the first, then evenly spaced."""
        share = self.options.decoded
        return ((places + 1) * share).ceil() > (places * share).ceil()

    def _noise(self, batch: Batch, purpose: str) -> NDArray[np.float64]:
        samples = batch.samples.numpy()
        return seeding.uniform(self.options.seed, batch.epoch, samples, purpose, self.front.grid.count)


def _tensors(places: PatchIds) -> TokenIndex:
    padding = None if places.padding is None else torch.from_numpy(places.padding)
    return TokenIndex(torch.from_numpy(places.ids), padding)
