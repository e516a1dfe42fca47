"""Inference over a whole data set: probabilities of each file, or embeddings at chosen layers.

The model computes on its own device, in the type of its weights; the results are on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.errors import OptionError, UnreadableFileError
from kakera.formats.bundle import Pretrained, require_classifier
from kakera.formats.onnx.model import OnnxModel
from kakera.formats.preparation import batches
from kakera.inputs import InputSpec
from kakera.model.classifier import Pooling, pool_tokens
from kakera.model.token_index import visible_index
from kakera.model.trace import Trace
from kakera.model.vit import ViT
from kakera.progress import Progress


@torch.inference_mode()
def probabilities(
    saved: Pretrained, pixels: Float[Tensor, "b c H W"], padding: Bool[Tensor, "b n"] | None = None
) -> Float[Tensor, "b classes"]:
    """Return the probabilities (b, classes) of normalised pictures, or the numbers that regression predicts.

    `padding` is True for padding patches. The probabilities are a softmax over the classes, or in a
    multi-label model one sigmoid for each class. Raises OptionError for a model without a head.

    Example:

        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier(ViT("nano", channels=1, image_size=8, seed=0), 2, "class")
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> probabilities(saved, torch.zeros(3, 1, 8, 8)).shape
        torch.Size([3, 2])
    """
    kind = next(saved.model.parameters()).dtype  # an engine can compute in bf16
    logits = require_classifier(saved).model(pixels.to(kind), padding_mask=padding).float()
    if saved.targets is not None:
        return saved.targets.values(logits)
    return logits.sigmoid() if saved.multi_label else logits.softmax(dim=1)


@torch.inference_mode()
def predict_proba(
    saved: Pretrained | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
    """Return probabilities (n, classes), the index of each file in the data set (n,), and unreadable files.

    A regression model returns its numbers (n, targets). A recording gets the mean over its windows. `workers`
    is the number of reading processes; 0 reads in this process. `progress` is the label of the progress bar;
    an empty one shows none. Raises OptionError for a model without a head.

    Example:

        >>> from kakera.data.sources.files import open_files
        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier(ViT("nano", channels=1, image_size=8, seed=0), 2, "class")
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> files = open_files([np.zeros((8, 8), np.uint8)], saved.inputs)
        >>> rows, numbers, unreadable = predict_proba(saved, files)
        >>> rows.shape, numbers.tolist(), unreadable
        ((1, 2), [0], ())
    """
    rows: list[NDArray[np.float32]] = []
    numbers: list[NDArray[np.int64]] = []
    broken: list[UnreadableFileError] = []
    for samples, values, unreadable in each_file(saved, dataset, workers=workers, progress=progress):
        rows.append(values)
        numbers.append(samples)
        broken += unreadable
    rows.append(np.zeros((0, len(saved.classes)), np.float32))
    numbers.append(np.zeros(0, np.int64))
    return np.concatenate(rows), np.concatenate(numbers), tuple(broken)


def each_file(
    saved: Pretrained | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], tuple[UnreadableFileError, ...]]]:
    """Yield the indices of files (m,), their probabilities (m, classes) and unreadable files, batch by batch.

    Each file occurs once, in order; a recording has the mean over its windows. The arguments are as in
    `predict_proba`.

    Example:

        >>> from kakera.data.sources.files import open_files
        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier(ViT("nano", channels=1, image_size=8, seed=0), 2, "class")
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> files = open_files([np.zeros((8, 8), np.uint8)], saved.inputs)
        >>> [rows.shape for _, rows, _ in each_file(saved, files) if len(rows)]
        [(1, 2)]
    """
    seen = set[str]()
    numbers, rows = np.zeros(0, np.int64), np.zeros((0, len(saved.classes)), np.float32)
    for part, values in each_batch(saved, dataset, workers=workers, progress=progress):
        broken = tuple({error.path: error for error in part.unreadable if error.path not in seen}.values())
        seen.update(error.path for error in broken)
        numbers = np.concatenate([numbers, part.samples.numpy()])
        rows = np.concatenate([rows, values.numpy()])
        whole = len(numbers)
        if (
            dataset.sounds is not None and whole
        ):  # the next batch may contain more windows of the last recording
            whole = int(np.searchsorted(numbers, numbers[-1]))
        yield *_means(numbers[:whole], rows[:whole], dataset), broken
        numbers, rows = numbers[whole:], rows[whole:]
    yield *_means(numbers, rows, dataset), ()


def each_batch(
    saved: Pretrained | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[Batch, Float[Tensor, "b classes"]]]:
    """Yield batches of pictures, or of windows of recordings, with their probabilities.

    The arguments are as in `predict_proba`.

    Example:

        >>> from kakera.data.sources.files import open_files
        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier(ViT("nano", channels=1, image_size=8, seed=0), 2, "class")
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> files = open_files([np.zeros((8, 8), np.uint8)] * 3, saved.inputs)
        >>> [(len(batch.samples), values.shape) for batch, values in each_batch(saved, files)]
        [(3, torch.Size([3, 2]))]
    """
    for part in _batches(saved.inputs, dataset, workers, progress):
        if len(part.samples):
            yield part, saved.probabilities(part.pictures, part.lengths)
        else:
            yield part, torch.zeros(0, len(saved.classes))


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

        >>> from kakera.data.sources.files import open_files
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8, seed=0), inputs)
        >>> files = open_files([np.zeros((8, 8), np.uint8)], inputs)
        >>> rows, numbers = features(saved, files, [-1], ["mean"])
        >>> rows[-1, "mean"].shape, numbers.tolist()
        ((1, 64), [0])
    """
    encoder = saved.encoder
    depth = encoder.config.depth
    require_layers(encoder, layers)
    nothing = torch.zeros(0, encoder.config.prefix_tokens + 1, encoder.config.width).to(encoder.reference)
    pooled: dict[tuple[int, Pooling], list[Tensor]] = {
        (layer, pool): [pool_tokens(encoder, nothing, pool).float().cpu()]
        for layer in layers
        for pool in pools
    }
    numbers = [torch.zeros(0, dtype=torch.int64)]
    for part in _batches(saved.inputs, dataset, workers, progress):
        numbers.append(part.samples)
        if unreadable is not None:
            unreadable += part.unreadable
        pixels, padding = saved.front_end(part.pictures.to(saved.device), part.lengths)
        trace = Trace(tokens=[layer % (depth + 1) for layer in layers])
        chosen = visible_index(None, padding, saved.device)
        encoder.tokens(pixels.to(encoder.reference.dtype), chosen, None, trace)
        for layer, pool in pooled:
            tokens = trace.tokens[layer % (depth + 1)]
            pooled[layer, pool].append(pool_tokens(encoder, tokens, pool, chosen).float().cpu())
    samples = torch.cat(numbers).numpy()
    means = {key: _means(samples, torch.cat(rows).numpy(), dataset) for key, rows in pooled.items()}
    return {key: values for key, (_, values) in means.items()}, np.unique(samples)


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


def _batches(inputs: InputSpec, dataset: Dataset, workers: int, progress: str) -> Iterator[Batch]:
    """Yield batches and show the progress. Workers read the next ones while the model computes."""
    with Progress(progress, total=len(dataset), kind=dataset.kind, quiet=None if progress else True) as shown:
        for part in batches(dataset, inputs, workers):
            yield part
            dataset.pictures.clipped.update(part.clipped)  # workers have their own copies
            if len(
                part.samples
            ):  # indices are in order; the next batch may contain more windows of a recording
                shown.advance(int(part.samples[-1]) + 1 - shown.done)


def _means(
    numbers: NDArray[np.int64], values: NDArray[np.float32], dataset: Dataset
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each index once with the mean of its rows: the windows of a recording; a picture has one row."""
    if dataset.sounds is None:
        return numbers, values
    unique, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    sums = np.zeros((len(unique), values.shape[1]))
    np.add.at(sums, places, values)
    return unique, (sums / counts[:, None]).astype(np.float32)


def whole(rows: NDArray[np.float32], broken: Sequence[UnreadableFileError]) -> NDArray[np.float32]:
    """Return `rows`. Raises UnreadableFileError for the first unreadable file.

    Example:

        >>> whole(np.zeros((2, 3), np.float32), ()).shape
        (2, 3)
    """
    for error in broken:
        raise error
    return rows
