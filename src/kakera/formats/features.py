"""Embeddings of a whole data set by a frozen encoder, at chosen layers and poolings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.dataset import Dataset
from kakera.errors import OptionError, UnreadableFileError
from kakera.formats.bundle import Pretrained
from kakera.formats.inference import file_batches, file_means, finished_rows
from kakera.model.classifier import Pooling, pool_tokens
from kakera.model.token_index import TokenIndex, visible_index
from kakera.model.trace import Trace
from kakera.model.vit import ViT

Features: TypeAlias = dict[tuple[int, "Pooling | Literal['patches']"], NDArray[np.float32]]
"""Embeddings (n, d) by layer and pooling."""


@torch.inference_mode()
def features(
    saved: Pretrained,
    dataset: Dataset,
    layers: Sequence[int],
    pools: Sequence[Pooling],
    *,
    workers: int = 0,
    progress: str = "",
    unreadable: list[UnreadableFileError] | None = None,
) -> tuple[dict[tuple[int, Pooling], NDArray[np.float32]], NDArray[np.int64]]:
    """Return embeddings (n, d) for each (layer, pool), and the indices of the n readable files.

    The final norm is applied after the pooling; a recording gets the mean over its windows. Layer l is z^(l)
    as in the lecture: 0 is before the first layer, −1 the last. `workers` and `progress` are as in
    `predict_proba`. Unreadable files are appended to `unreadable`. Raises OptionError for another layer.

    Example:

        >>> from kakera import InputSpec
        >>> from kakera.data.sources.files import open_files
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8, seed=0), inputs)
        >>> files = open_files([np.zeros((8, 8), np.uint8)], inputs)
        >>> rows, numbers = features(saved, files, [-1], ["mean"])
        >>> rows[-1, "mean"].shape, numbers.tolist()
        ((1, 64), [0])
    """
    encoder = saved.encoder
    require_layers(encoder, layers)
    nothing = torch.zeros(0, encoder.config.prefix_tokens + 1, encoder.config.width).to(encoder.reference)
    pooled: dict[tuple[int, Pooling], list[NDArray[np.float32]]] = {
        (layer, pool): [pool_tokens(encoder, nothing, pool).float().cpu().numpy()]
        for layer in layers
        for pool in pools
    }
    numbers = [np.zeros(0, np.int64)]
    for samples, found, broken in each_features(
        saved, dataset, layers, pools, workers=workers, progress=progress
    ):
        numbers.append(samples)
        if unreadable is not None:
            unreadable += broken
        for kind, rows in pooled.items():
            rows.append(found[kind])
    return {kind: np.concatenate(rows) for kind, rows in pooled.items()}, np.concatenate(numbers)


@torch.inference_mode()
def each_features(
    saved: Pretrained,
    dataset: Dataset,
    layers: Sequence[int],
    pools: Sequence[Pooling | Literal["patches"]],
    *,
    workers: int = 0,
    progress: str = "",
    mirrored: bool = False,
) -> Iterator[tuple[NDArray[np.int64], Features, tuple[UnreadableFileError, ...]]]:
    """Yield indices of files (m,), their embeddings (m, d) by (layer, pool), and unreadable files.

    Each file occurs once, in order, as soon as its batch is computed. The arguments are as in `features`.
    `mirrored` turns the pictures around their vertical axis. The pooling "patches" gives all patch tokens of
    pictures after the final norm, one after another (m, patches × d).

    Example:

        >>> from kakera import InputSpec
        >>> from kakera.data.sources.files import open_files
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8, seed=0), inputs)
        >>> files = open_files([np.zeros((8, 8), np.uint8)] * 2, inputs)
        >>> [found[-1, "mean"].shape for _, found, _ in each_features(saved, files, [-1], ["mean"])]
        [(2, 64)]
    """
    encoder = saved.encoder
    depth = encoder.config.depth
    rest: tuple[NDArray[np.int64], Features] | None = None  # rows of files that may not be finished
    for part in file_batches(saved.inputs, dataset, workers, progress):
        pixels, padding = saved.front_end(part.pictures.to(saved.device), part.lengths)
        pixels = pixels.flip(-1) if mirrored else pixels
        trace = Trace(tokens=[layer % (depth + 1) for layer in layers])
        chosen = visible_index(None, padding, saved.device)
        encoder.tokens(pixels.to(encoder.reference.dtype), chosen, None, trace)
        samples, found = part.samples.numpy(), Features()
        for layer in layers:
            tokens = trace.tokens[layer % (depth + 1)]
            for pool in pools:
                found[layer, pool] = _pooled(encoder, tokens, pool, chosen).float().cpu().numpy()
        if rest is not None:
            samples = np.concatenate([rest[0], samples])
            found = {kind: np.concatenate([rest[1][kind], values]) for kind, values in found.items()}
        whole = finished_rows(samples, saved.inputs, dataset)
        if whole < len(samples):
            rest = samples[whole:], {kind: values[whole:] for kind, values in found.items()}
        else:
            rest = None
        yield *_file_means(samples[:whole], found, dataset), part.unreadable
    if rest is not None:
        yield *_file_means(*rest, dataset), ()


def _pooled(
    encoder: ViT,
    tokens: Float[Tensor, "b k d"],
    pool: Pooling | Literal["patches"],
    chosen: TokenIndex | None,
) -> Float[Tensor, "b e"]:
    if pool != "patches":
        return pool_tokens(encoder, tokens, pool, chosen)
    return encoder.norm(tokens[:, encoder.config.prefix_tokens :]).flatten(1)


def _file_means(
    samples: NDArray[np.int64], found: Features, dataset: Dataset
) -> tuple[NDArray[np.int64], Features]:
    """Return each file once, with the mean of its rows of `found`; those after `samples` are left out."""
    count = len(samples)
    means = {kind: file_means(samples, values[:count], dataset)[1] for kind, values in found.items()}
    return np.unique(samples), means


def require_layers(encoder: ViT, layers: Sequence[int]) -> None:
    """Check that the encoder has these layers. Raises OptionError otherwise.

    Example:

        >>> require_layers(ViT("nano", channels=1, image_size=8), [0, -1])
    """
    depth = encoder.config.depth
    for layer in layers:
        if not -depth - 1 <= layer <= depth:
            raise OptionError(
                "layer", got=layer, expected=f"{-depth - 1} to {depth}", do="choose one of these"
            )
