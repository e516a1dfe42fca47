"""A model over a whole data set: scores for each picture, or its tokens at chosen layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Num
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.dataset import Dataset
from kakera.data.loader import evaluation_batches
from kakera.errors import OptionError, UnreadableFileError, sentence
from kakera.formats.native import Saved
from kakera.model.classifier import Classifier, pooled
from kakera.model.cnn import ResNet
from kakera.model.encoder import Encoder
from kakera.model.trace import Trace

BATCH = 256


@torch.inference_mode()
def probabilities(saved: Saved, pictures: Num[Tensor, "b c H W"]) -> Float[Tensor, "b classes"]:
    """Of pictures of stored values (0 … scale).

    Softmax where a picture has one label, a sigmoid a class where it may have several. Raises OptionError
    for an autoencoder.
    """
    model = saved.model
    if not isinstance(model, Classifier | ResNet):
        got = "an encoder without a head" if isinstance(model, Encoder) else "an autoencoder"
        raise OptionError(sentence("model", got=got, expected="a classifier", do="fine-tune it first"))
    logits = model(saved.inputs.normalise(pictures))
    return logits.sigmoid() if saved.several else logits.softmax(dim=1)


@torch.inference_mode()
def scores(
    saved: Saved, dataset: Dataset, *, workers: int = 0, batch: int = BATCH
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
    """Probabilities (n, classes), the numbers of the pictures they belong to, and what was unreadable.

    Raises OptionError for an autoencoder.
    """
    rows: list[torch.Tensor] = []
    numbers: list[torch.Tensor] = []
    broken: list[UnreadableFileError] = []
    for part in evaluation_batches(dataset, saved.inputs.size, batch=batch, workers=workers):
        broken += part.unreadable
        if len(part.samples):
            rows.append(probabilities(saved, part.pictures))
            numbers.append(part.samples)
    if not rows:
        return np.zeros((0, len(saved.classes)), np.float32), np.zeros(0, np.int64), tuple(broken)
    return torch.cat(rows).numpy(), torch.cat(numbers).numpy(), tuple(broken)


@torch.inference_mode()
def features(
    saved: Saved, dataset: Dataset, layers: Sequence[int], pools: Sequence[str], *, workers: int = 0
) -> tuple[dict[tuple[int, str], NDArray[np.float32]], NDArray[np.int64]]:
    """Frozen tokens, (n, d) for each (layer, pool), and the numbers of the n pictures that could be read.

    The final norm follows the pooling. Layer l is z^(l) as in the lecture; −1 is the last. `pools` are
    "class" and "mean".
    """
    encoder = saved.encoder
    depth = encoder.shape.depth
    for layer in layers:
        if not -depth - 1 <= layer <= depth:
            raise OptionError(
                sentence("layer", got=layer, expected=f"{-depth - 1} to {depth}", do="choose one of these")
            )
    found: dict[tuple[int, str], list[torch.Tensor]] = {
        (layer, pool): [] for layer in layers for pool in pools
    }
    numbers: list[torch.Tensor] = []
    for part in evaluation_batches(dataset, saved.inputs.size, batch=BATCH, workers=workers):
        numbers.append(part.samples)
        trace = Trace(tokens=[layer % (depth + 1) for layer in layers])
        encoder.tokens(saved.inputs.normalise(part.pictures), None, None, trace)
        for layer, pool in found:
            tokens = trace.tokens[layer % (depth + 1)]
            found[layer, pool].append(pooled(encoder, tokens, "class" if pool == "class" else "mean"))
    return {key: torch.cat(rows).numpy() for key, rows in found.items()}, torch.cat(numbers).numpy()
