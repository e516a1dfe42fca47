"""Inference over a whole data set: probabilities of each file.

The model computes on its own device, in the type of its weights; the results are on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.data.any_shape import WINDOW
from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.errors import UnreadableFileError
from kakera.formats.bundle import Pretrained, require_classifier
from kakera.formats.preparation import batches
from kakera.inputs import InputSpec
from kakera.progress import Progress


class Predictor(Protocol):
    """A model that `each_file` can use, such as `Pretrained` and `OnnxModel`.

    See `each_file`.
    """

    @property
    def inputs(self) -> InputSpec:
        """The input specification."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """A name for each column of the result."""
        ...

    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return a row (b, columns) for each picture or window, on the CPU."""
        ...


@torch.inference_mode()
def probabilities(
    saved: Pretrained, pixels: Float[Tensor, "b c H W"], padding: Bool[Tensor, "b n"] | None = None
) -> Float[Tensor, "b classes"]:
    """Return the probabilities (b, classes) of normalised pictures, or the numbers that regression predicts.

    `padding` is True for padding patches. The probabilities are a softmax over the classes, or in a
    multi-label model one sigmoid for each class. Raises OptionError for a model without a head.

    Example:

        >>> from kakera import ViT
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
    saved: Predictor, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[UnreadableFileError, ...]]:
    """Return probabilities (n, classes), the index of each file in the data set (n,), and unreadable files.

    A regression model returns its numbers (n, targets). A recording gets the mean over its windows. `workers`
    is the number of reading processes; 0 reads in this process. `progress` is the label of the progress bar;
    an empty one shows none. Raises OptionError for a model without a head.

    Example:

        >>> from kakera import ViT
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
    saved: Predictor, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], tuple[UnreadableFileError, ...]]]:
    """Yield the indices of files (m,), their probabilities (m, classes) and unreadable files, batch by batch.

    Each file occurs once, in order; a recording has the mean over its windows. The arguments are as in
    `predict_proba`.

    Example:

        >>> from kakera import ViT
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
        whole = finished_rows(numbers, saved.inputs, dataset)
        yield *file_means(numbers[:whole], rows[:whole], dataset), broken
        numbers, rows = numbers[whole:], rows[whole:]
    yield *file_means(numbers, rows, dataset), ()


def each_batch(
    saved: Predictor, dataset: Dataset, *, workers: int = 0, progress: str = ""
) -> Iterator[tuple[Batch, Float[Tensor, "b classes"]]]:
    """Yield batches of pictures, or of windows of recordings, with their probabilities.

    The arguments are as in `predict_proba`.

    Example:

        >>> from kakera import ViT
        >>> from kakera.data.sources.files import open_files
        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier(ViT("nano", channels=1, image_size=8, seed=0), 2, "class")
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> files = open_files([np.zeros((8, 8), np.uint8)] * 3, saved.inputs)
        >>> [(len(batch.samples), values.shape) for batch, values in each_batch(saved, files)]
        [(3, torch.Size([3, 2]))]
    """
    for part in file_batches(saved.inputs, dataset, workers, progress):
        if len(part.samples):
            yield part, saved.probabilities(part.pictures, part.lengths)
        else:
            yield part, torch.zeros(0, len(saved.classes))


def file_batches(inputs: InputSpec, dataset: Dataset, workers: int, progress: str) -> Iterator[Batch]:
    """Yield batches and show the progress. Workers read the next ones while the model computes.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> files, inputs = open_dataset("demo").take([0, 1]), InputSpec(1, 28, 28, (0.5,), (0.5,))
        >>> [batch.samples.tolist() for batch in file_batches(inputs, files, 0, "")]
        [[0, 1]]
    """
    with Progress(progress, total=len(dataset), kind=dataset.kind, quiet=None if progress else True) as shown:
        for part in batches(dataset, inputs, workers):
            yield part
            dataset.pictures.clipped.update(part.clipped)  # workers have their own copies
            if len(part.samples):  # the next batch may contain more windows of the last recording
                shown.advance(max(0, int(part.samples.max()) + 1 - shown.done))


def finished_rows(numbers: NDArray[np.int64], inputs: InputSpec, dataset: Dataset) -> int:
    """Return the number of leading rows whose files are finished, and come before all files that follow.

    `numbers` (n,) are those of the files, in the order of `file_batches`. The last recording may have more
    windows in the next batch. Pictures of any shape are in order except within each `WINDOW`.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> finished_rows(np.arange(3), InputSpec(1, 28, 28, (0.5,), (0.5,)), open_dataset("demo"))
        3
    """
    if not len(numbers):
        return 0
    if dataset.sounds is not None:
        return int(np.searchsorted(numbers, numbers[-1]))
    if inputs.any_shape:
        windows = numbers // WINDOW
        return int(np.searchsorted(windows, windows[-1]))
    return len(numbers)


def file_means(
    numbers: NDArray[np.int64], values: NDArray[np.float32], dataset: Dataset
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each index once with the mean of its rows: the windows of a recording; a picture has one row.

    `numbers` (n,) and `values` (n, d) are those of `finished_rows`. The result is in order.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> file_means(np.arange(2), np.ones((2, 3), np.float32), open_dataset("demo"))[0]
        array([0, 1])
    """
    if dataset.sounds is None:
        order = np.argsort(numbers)
        return numbers[order], values[order]
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
