"""A model over a whole data set: probabilities for each picture, or its tokens at chosen layers.

The model computes where it is (`device.placed`), in float32; what it gives lies on the CPU.
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
    """Return probabilities of pictures in the model's units, some of whose patches may be `padding`.

    Softmax where a picture has one label, a sigmoid a class where it may have several. Raises OptionError
    for a network without a head.
    """
    logits = require_classifier(saved).model(pixels, padding_mask=padding)
    return logits.sigmoid() if saved.multi_label else logits.softmax(dim=1)


@torch.inference_mode()
def predict_proba(
    saved: Pretrained | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
    """Probabilities (n, classes), the numbers of the pictures they belong to, and what was unreadable.

    Of a recording the mean over its windows. How far it is is shown as `progress`, unless that is empty.
    Raises OptionError for a network without a head.
    """
    rows: list[NDArray[np.float32]] = []
    numbers: list[NDArray[np.int64]] = []
    broken: list[UnreadableFileError] = []
    for kept, values, unreadable in each_file(saved, dataset, workers=workers, progress=progress):
        rows.append(values)
        numbers.append(kept)
        broken += unreadable
    rows.append(np.zeros((0, len(saved.classes)), np.float32))
    numbers.append(np.zeros(0, np.int64))
    return np.concatenate(rows), np.concatenate(numbers), tuple(broken)


def each_file(
    saved: Pretrained | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], tuple[UnreadableFileError, ...]]]:
    """Yield numbers (m,) of files, their probabilities (m, classes) and what was unreadable, as they come.

    Each file comes once and in order, a recording with the mean over its windows.
    """
    seen = set[str]()
    numbers, rows = np.zeros(0, np.int64), np.zeros((0, len(saved.classes)), np.float32)
    for part, values in each_batch(saved, dataset, workers=workers, progress=progress):
        broken = tuple({error.path: error for error in part.unreadable if error.path not in seen}.values())
        seen.update(error.path for error in broken)
        numbers = np.concatenate([numbers, part.samples.numpy()])
        rows = np.concatenate([rows, values.numpy()])
        whole = len(numbers)
        if dataset.sounds is not None and whole:  # of the last recording there may be more windows to come
            whole = int(np.searchsorted(numbers, numbers[-1]))
        yield *_means(numbers[:whole], rows[:whole], dataset), broken
        numbers, rows = numbers[whole:], rows[whole:]
    yield *_means(numbers, rows, dataset), ()


def each_batch(
    saved: Pretrained | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[Batch, Float[Tensor, "b classes"]]]:
    """Batches of pictures, or of windows of recordings, and their probabilities, as they come."""
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
    """Frozen tokens, (n, d) for each (layer, pool), and the numbers of the n pictures that could be read.

    The final norm follows the pooling; of a recording the mean over its windows is taken. Layer l is z^(l)
    as in the lecture; −1 is the last. `progress` is as in `scores`; what could not be read is added to
    `unreadable`. Raises OptionError for another layer.
    """
    encoder = saved.encoder
    depth = encoder.config.depth
    require_layers(encoder, layers)
    nothing = torch.zeros(0, 2 + encoder.config.registers, encoder.config.width, device=saved.device)
    found: dict[tuple[int, Pooling], list[Tensor]] = {
        (layer, pool): [pool_tokens(encoder, nothing, pool).cpu()] for layer in layers for pool in pools
    }
    numbers = [torch.zeros(0, dtype=torch.int64)]
    for part in _batches(saved.inputs, dataset, workers, progress):
        numbers.append(part.samples)
        if unreadable is not None:
            unreadable += part.unreadable
        pixels, padding = saved.front_end(part.pictures.to(saved.device), part.lengths)
        trace = Trace(tokens=[layer % (depth + 1) for layer in layers])
        chosen = visible_index(None, padding, saved.device)
        encoder.tokens(pixels, chosen, None, trace)
        for layer, pool in found:
            tokens = trace.tokens[layer % (depth + 1)]
            found[layer, pool].append(pool_tokens(encoder, tokens, pool, chosen).cpu())
    kept = torch.cat(numbers).numpy()
    means = {key: _means(kept, torch.cat(rows).numpy(), dataset) for key, rows in found.items()}
    return {key: values for key, (_, values) in means.items()}, np.unique(kept)


def require_layers(encoder: ViT, layers: Sequence[int]) -> None:
    """Raises OptionError for a layer that the encoder does not have."""
    depth = encoder.config.depth
    for layer in layers:
        if not -depth - 1 <= layer <= depth:
            raise OptionError(
                "layer", got=layer, expected=f"{-depth - 1} to {depth}", do="choose one of these"
            )


def _batches(inputs: InputSpec, dataset: Dataset, workers: int, progress: str) -> Iterator[Batch]:
    """Yield batches and show how far they are. Workers read the next ones while the model computes."""
    with Progress(progress, total=len(dataset), kind=dataset.kind, quiet=None if progress else True) as shown:
        for part in batches(dataset, inputs, workers):
            yield part
            dataset.pictures.clipped.update(part.clipped)  # workers have their own copies
            if len(part.samples):  # in their order; of a recording there may be more windows to come
                shown.advance(int(part.samples[-1]) + 1 - shown.done)


def _means(
    numbers: NDArray[np.int64], values: NDArray[np.float32], dataset: Dataset
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each number once, with the mean of its rows: those are windows of a recording; a picture has one."""
    if dataset.sounds is None:
        return numbers, values
    kept, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    sums = np.zeros((len(kept), values.shape[1]))
    np.add.at(sums, places, values)
    return kept, (sums / counts[:, None]).astype(np.float32)
