"""A model over a whole data set: scores for each picture, or its tokens at chosen layers.

The model computes where it is (`device.placed`), in float32; what it gives lies on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.errors import OptionError, UnreadableFileError, sentence
from kakera.formats.native import Saved
from kakera.formats.onnx.model import OnnxModel, entering
from kakera.formats.preparation import batches
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, Read, pooled
from kakera.model.resnet import ResNet
from kakera.model.token_index import visible_index
from kakera.model.trace import Trace
from kakera.model.vit import ViT
from kakera.progress import Progress
from kakera.training.device import whereabouts
from kakera.training.view import View


@torch.inference_mode()
def probabilities(
    saved: Saved, pictures: Num[Tensor, "b c H W"], absent: Bool[Tensor, "b n"] | None = None
) -> Float[Tensor, "b classes"]:
    """Of pictures of stored values (0 … scale), some of whose patches may be `absent`.

    Softmax where a picture has one label, a sigmoid a class where it may have several. Raises OptionError
    for an autoencoder.
    """
    model = saved.model
    if not isinstance(model, Classifier | ResNet):
        got = "an encoder without a head" if isinstance(model, ViT) else "an autoencoder"
        raise OptionError(sentence("model", got=got, expected="a classifier", do="fine-tune it first"))
    normalised = saved.inputs.normalise(pictures)
    logits = model(normalised) if absent is None else model(normalised, absent=absent)
    return logits.sigmoid() if saved.several else logits.softmax(dim=1)


@torch.inference_mode()
def scores(
    saved: Saved | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
    """Probabilities (n, classes), the numbers of the pictures they belong to, and what was unreadable.

    Of a recording the mean over its windows. How far it is is shown as `progress`, unless that is empty.
    Raises OptionError for an autoencoder.
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
    saved: Saved | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], tuple[UnreadableFileError, ...]]]:
    """Yield numbers (m,) of files, their probabilities (m, classes) and what was unreadable, as they come.

    Each file comes once and in order, a recording with the mean over its windows.
    """
    seen = set[str]()
    numbers, rows = np.zeros(0, np.int64), np.zeros((0, len(saved.classes)), np.float32)
    for part, values in scored(saved, dataset, workers=workers, progress=progress):
        broken = tuple({error.path: error for error in part.unreadable if error.path not in seen}.values())
        seen.update(error.path for error in broken)
        numbers = np.concatenate([numbers, part.samples.numpy()])
        rows = np.concatenate([rows, values.numpy()])
        whole = len(numbers)
        if dataset.sounds is not None and whole:  # of the last recording there may be more windows to come
            whole = int(np.searchsorted(numbers, numbers[-1]))
        means, kept = _each_once(rows[:whole], numbers[:whole], dataset)
        yield kept, means, broken
        numbers, rows = numbers[whole:], rows[whole:]
    means, kept = _each_once(rows, numbers, dataset)
    yield kept, means, ()


def scored(
    saved: Saved | OnnxModel, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[Batch, Float[Tensor, "b classes"]]]:
    """Batches of pictures, or of windows of recordings, and their probabilities, as they come."""
    view = None if isinstance(saved, OnnxModel) else View.of(saved.model, saved.inputs)
    for part in _batches(saved.inputs, dataset, workers, progress):
        if not len(part.samples):
            yield part, torch.zeros(0, len(saved.classes))
        elif isinstance(saved, OnnxModel):
            yield part, saved.probabilities(entering(part.pictures, part.lengths))
        else:
            assert view is not None
            here = part.to(whereabouts(saved))
            yield part, probabilities(saved, view.stored(here), view.absent(here)).cpu()


@torch.inference_mode()
def features(
    saved: Saved,
    dataset: Dataset,
    layers: Sequence[int],
    pools: Sequence[Read],
    *,
    workers: int = 0,
    progress: str = "",
    unreadable: list[UnreadableFileError] | None = None,
) -> tuple[dict[tuple[int, Read], NDArray[np.float32]], NDArray[np.int64]]:
    """Frozen tokens, (n, d) for each (layer, pool), and the numbers of the n pictures that could be read.

    The final norm follows the pooling; of a recording the mean over its windows is taken. Layer l is z^(l)
    as in the lecture; −1 is the last. `progress` is as in `scores`; what could not be read is added to
    `unreadable`. Raises OptionError for another layer.
    """
    encoder = saved.encoder
    depth = encoder.shape.depth
    require_layers(encoder, layers)
    nothing = torch.zeros(0, 2 + encoder.shape.registers, encoder.shape.width, device=whereabouts(saved))
    found: dict[tuple[int, Read], list[Tensor]] = {
        (layer, pool): [pooled(encoder, nothing, pool).cpu()] for layer in layers for pool in pools
    }
    numbers = [torch.zeros(0, dtype=torch.int64)]
    view = View.of(encoder, saved.inputs)
    for part in _batches(saved.inputs, dataset, workers, progress):
        numbers.append(part.samples)
        if unreadable is not None:
            unreadable += part.unreadable
        part = part.to(whereabouts(saved))
        trace = Trace(tokens=[layer % (depth + 1) for layer in layers])
        chosen = visible_index(None, view.absent(part))
        encoder.tokens(view.pictures(part), chosen, None, trace)
        for layer, pool in found:
            tokens = trace.tokens[layer % (depth + 1)]
            found[layer, pool].append(pooled(encoder, tokens, pool, chosen).cpu())
    kept = torch.cat(numbers).numpy()
    means = {key: _each_once(torch.cat(rows).numpy(), kept, dataset) for key, rows in found.items()}
    return {key: values for key, (values, _) in means.items()}, np.unique(kept)


def require_layers(encoder: ViT, layers: Sequence[int]) -> None:
    """Raises OptionError for a layer that the encoder does not have."""
    depth = encoder.shape.depth
    for layer in layers:
        if not -depth - 1 <= layer <= depth:
            raise OptionError(
                sentence("layer", got=layer, expected=f"{-depth - 1} to {depth}", do="choose one of these")
            )


def _batches(inputs: InputSpec, dataset: Dataset, workers: int, progress: str) -> Iterator[Batch]:
    """Yield batches and show how far they are. Workers read the next ones while the model computes."""
    with Progress(progress, total=len(dataset), kind=dataset.kind, quiet=None if progress else True) as shown:
        for part in batches(dataset, inputs, workers):
            yield part
            dataset.pictures.clipped.update(part.clipped)  # workers have their own copies
            if len(part.samples):  # in their order; of a recording there may be more windows to come
                shown.advance(int(part.samples[-1]) + 1 - shown.done)


def _each_once(
    values: NDArray[np.float32], numbers: NDArray[np.int64], dataset: Dataset
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Means over the windows of each recording, in the order of the recordings; pictures as they are."""
    if dataset.sounds is None:
        return values, numbers
    kept, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    sums = np.zeros((len(kept), values.shape[1]))
    np.add.at(sums, places, values)
    return (sums / counts[:, None]).astype(np.float32), kept
