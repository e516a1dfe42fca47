"""Vectors of single pictures and windows of recordings: pooled tokens, patch tokens, or those of a region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.dataset import Dataset
from kakera.errors import UnreadableFileError
from kakera.formats.bundle import Pretrained
from kakera.formats.inference import file_batches
from kakera.grid import Grid
from kakera.model.classifier import Pooling, pool_tokens
from kakera.model.token_index import TokenIndex, visible_index

Pool: TypeAlias = "Pooling | Literal['patches']"


@dataclass(frozen=True, eq=False)
class WindowTokens:
    """The vectors of some pictures or windows. See `window_tokens`."""

    samples: NDArray[np.int64]
    """The number of the file in the data set, (m,)."""
    spans: NDArray[np.float64]
    """Start and end in seconds of the recording, (m, 2); NaN for pictures."""
    columns: NDArray[np.int32]
    """The number of columns of patches that are not padding, (m,)."""
    vectors: NDArray[np.float32]
    """Pooled tokens (m, d), or patch tokens (m, patches, d) after the final norm, 0 for padding."""
    grid: Grid
    """The grid of the patches, with padding."""
    unreadable: tuple[UnreadableFileError, ...] = ()


@torch.inference_mode()
def window_tokens(
    saved: Pretrained,
    dataset: Dataset,
    pool: Pool,
    *,
    region: NDArray[np.bool_] | None = None,
    workers: int = 0,
    progress: str = "",
) -> Iterator[WindowTokens]:
    """Yield the vectors of each picture, and of each window of a recording, of the last layer.

    `pool` is as in `pool_tokens`, or "patches" for the tokens of all patches. `region` (patches,) is True for
    the patches to pool; None pools all. `workers` and `progress` are as in `predict_proba`.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.data.sources.files import open_files
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8, seed=0), inputs)
        >>> files = open_files([np.zeros((8, 8), np.uint8)], inputs)
        >>> [found.vectors.shape for found in window_tokens(saved, files, "patches")]
        [(1, 4, 64)]
    """
    encoder = saved.encoder
    for part in file_batches(saved.inputs, dataset, workers, progress):
        samples = part.samples.numpy()
        if not len(samples):
            width = (
                (encoder.grid.count, encoder.config.width) if pool == "patches" else (encoder.config.width,)
            )
            nothing = np.zeros((0, *width), np.float32)
            none = np.zeros((0, 2)), np.zeros(0, np.int32)
            yield WindowTokens(samples, *none, nothing, encoder.grid, part.unreadable)
            continue
        pixels, padding = saved.front_end(part.pictures.to(saved.device), part.lengths)
        grid = encoder.grid_for((pixels.shape[2], pixels.shape[3]))
        chosen = visible_index(None, padding, saved.device)
        tokens = encoder.tokens(pixels.to(encoder.reference.dtype), chosen)
        if region is not None:
            tokens = _of_region(tokens, encoder.config.prefix_tokens, region)
        if pool == "patches":
            found = _on_grid(encoder.norm(tokens)[:, encoder.config.prefix_tokens :], chosen, grid.count)
        else:
            found = pool_tokens(encoder, tokens, pool, chosen)
        columns = np.full(len(samples), grid.cols, np.int32)
        if padding is not None:
            columns = (~padding).reshape(-1, grid.rows, grid.cols)[:, 0].sum(dim=1).int().cpu().numpy()
        spans = np.full((len(samples), 2), np.nan)
        if part.starts is not None and part.lengths is not None and dataset.sounds is not None:
            sounds = dataset.sounds
            edges = torch.stack([part.starts, part.starts + part.lengths], dim=1).numpy() / sounds.spec.rate
            begins = [sounds.spans[row][0] if len(sounds.spans) else 0.0 for row in samples.tolist()]
            spans = edges + np.array(begins)[:, None]
        yield WindowTokens(samples, spans, columns, found.float().cpu().numpy(), grid, part.unreadable)


def _of_region(tokens: Float[Tensor, "b k d"], prefix: int, region: NDArray[np.bool_]) -> Tensor:
    patches = tokens[:, prefix:][:, torch.from_numpy(np.flatnonzero(region)).to(tokens.device)]
    return torch.cat([tokens[:, :prefix], patches], dim=1)


def _on_grid(tokens: Float[Tensor, "b k d"], chosen: TokenIndex | None, count: int) -> Tensor:
    """Return the tokens of visible patches at their places among all patches; the others are 0."""
    if chosen is None:
        return tokens
    return chosen.scatter(tokens.new_zeros(len(tokens), count, tokens.shape[2]), tokens)
