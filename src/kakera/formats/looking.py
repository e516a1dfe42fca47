"""Reconstructions and attention weights of a pretrained model for files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Num
from numpy.typing import NDArray
from torch import Tensor

from kakera import seeding
from kakera.data.batch import Batch
from kakera.data.sources.items import Files
from kakera.explain.activations import encode
from kakera.explain.reconstruct import reconstructions
from kakera.formats.bundle import Pretrained
from kakera.formats.preparation import readable
from kakera.masking import MASKINGS
from kakera.model.mae import MAE


def reconstruct(saved: Pretrained[MAE], files: Files, mask_ratio: float, seed: int = 0) -> NDArray[np.uint8]:
    """Return the reconstructions (n, 3, H, W, c) of `Pretrained.reconstruct`.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> saved = Pretrained(MAE("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> reconstruct(saved, np.zeros((8, 8), np.uint8), mask_ratio=0.5).shape
        (1, 3, 8, 8, 1)
    """
    inputs = saved.inputs
    rows = [np.zeros((0, 3, *inputs.size, inputs.channels), np.uint8)]
    for batch in readable(files, inputs):
        stored, padding = _stored(saved, batch)
        rows.append(sheet_rows(saved, stored, padding, batch.samples.numpy(), mask_ratio, seed))
    return np.concatenate(rows)


def sheet_rows(
    saved: Pretrained[MAE],
    stored: Num[Tensor, "b c H W"],
    padding: Tensor | None,
    samples: NDArray[np.int64],
    mask_ratio: float,
    seed: int,
    masking: str = "random",
) -> NDArray[np.uint8]:
    """Return three versions of stored pictures, (b, 3, H, W, c), uint8: original, masked, reconstructed.

    `padding` (b, n) is True for padding patches. The mask of a picture depends only on `seed` and its number
    in `samples` (b,), so it is the same at every call. `masking` is a name in `MASKINGS`. Raises OptionError
    for a wrong mask ratio.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> saved = Pretrained(MAE("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> sheet_rows(saved, torch.zeros(2, 1, 8, 8), None, np.arange(2), mask_ratio=0.5, seed=0).shape
        (2, 3, 8, 8, 1)
    """
    grid, device = saved.encoder.grid, saved.device
    noise = seeding.uniform(seed, 0, samples, "shown mask", grid.count)
    absent = None if padding is None else padding.numpy()
    hidden = torch.from_numpy(MASKINGS[masking](noise, grid, mask_ratio, absent))
    moved = None if padding is None else padding.to(device)
    return reconstructions(saved.model, saved.inputs, stored.to(device), hidden.to(device), moved)


def attention(saved: Pretrained, files: Files, layer: int) -> list[NDArray[np.floating]]:
    """Return the weights (heads, 1 + N, 1 + N) of `Pretrained.attention`, for each picture or window.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> saved = Pretrained(MAE("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> attention(saved, np.zeros((8, 8), np.uint8), layer=1)[0].shape
        (2, 5, 5)
    """
    encoder, inputs = saved.encoder, saved.inputs
    weights: list[tuple[int, NDArray[np.floating]]] = []
    for batch in readable(files, inputs):
        stored, _ = _stored(saved, batch)
        for number, picture, width in zip(batch.samples.tolist(), stored, _widths(saved, batch), strict=True):
            weights.append((number, encode(encoder, inputs, picture, width).attention_of(layer)))
    return [found for _, found in sorted(weights, key=lambda one: one[0])]


def _stored(saved: Pretrained, batch: Batch) -> tuple[Tensor, Tensor | None]:
    front = saved.front_end
    return front.stored(batch.pictures, batch.lengths), front.padding(front.widths(batch.lengths))


def _widths(saved: Pretrained, batch: Batch) -> Iterator[int | None]:
    widths = saved.front_end.widths(batch.lengths)
    yield from [None] * len(batch.samples) if widths is None else widths.tolist()
