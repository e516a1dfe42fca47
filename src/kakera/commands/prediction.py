"""One prediction of `kakera predict`, and the opening of its model."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.formats.classes import exceeds_threshold
from kakera.formats.load import load
from kakera.formats.onnx.model import OnnxModel, is_onnx, open_onnx
from kakera.machine import usable_cores
from kakera.option_fields import AUTO, Auto, Bounds, check_number
from kakera.training.device import moved_to_device
from kakera.training.notes import noted

Source: TypeAlias = str | Path | Pretrained | OnnxModel
FEW = 256  # up to this number of files, reading them takes less time than starting processes


@dataclass(frozen=True)
class Prediction:
    """The predicted labels of one file, or of one window of a recording. See `predict`."""

    file: str
    labels: tuple[str, ...]
    """Predicted label; for a multi-label model every class whose probability is at least its threshold."""
    probabilities: dict[str, float]
    """Probability of each class, 0 to 1, the highest first."""
    unreadable: str = ""
    """Reason why the file is unreadable; empty for a readable file."""
    window: tuple[float, float] | None = None
    """Start and end of a window of a recording, in seconds; None for the whole file."""
    typical: float | None = None
    """With `reject`: share of held-out training files that are at least as unusual, above 0 to 1."""
    values: dict[str, float] | None = None
    """Predicted number of each target, in its unit; None for a model of classes."""


def on_device(saved: Pretrained | OnnxModel, device: str) -> AbstractContextManager[object]:
    """Return a context manager that moves a model to a device; an ONNX model stays where it is.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> with on_device(saved, "cpu"):
        ...     saved.device.type
        'cpu'
    """
    return moved_to_device(saved, device) if isinstance(saved, Pretrained) else nullcontext()


def open_model(model: Source) -> Pretrained | OnnxModel:
    """Load a run folder or an ONNX folder; return a loaded model as it is. Raises RunError.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> model = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> open_model(model) is model
        True
    """
    if isinstance(model, Pretrained | OnnxModel):
        return model
    return open_onnx(model) if is_onnx(model) else noted(load(model), model)


def readers(dataset: Dataset, workers: int | Auto) -> int:
    """Return the number of processes that read files. Raises OptionError for a wrong number.

    "auto" means one per CPU core, or none for at most 256 files and for arrays in memory.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> files = open_dataset("demo")
        >>> readers(files, "auto"), readers(files, 2)
        (0, 2)
    """
    if workers != AUTO:
        check_number("workers", workers, int, Bounds(0), auto=True)
        return workers
    return usable_cores() if len(dataset) > FEW and not dataset.pictures.in_memory else 0


def prediction_of(
    saved: Pretrained | OnnxModel,
    file: str,
    row: NDArray[np.float32],
    top: int,
    *,
    window: tuple[float, float] | None = None,
) -> Prediction:
    """Return the prediction of a file from its row (classes,) of probabilities, or of predicted numbers.

    `top` keeps the probabilities of the most probable classes; 0 keeps all. `window` is as in `Prediction`.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> prediction_of(saved, "a.png", np.array([0.25, 0.75], np.float32), 1).probabilities
        {'dog': 0.75}
    """
    if isinstance(saved, Pretrained) and saved.regression:
        numbers = dict(zip(saved.classes, row.tolist(), strict=True))
        return Prediction(file, (), {}, window=window, values=numbers)
    order = np.argsort(-row, kind="stable").tolist()
    labels = (saved.classes[order[0]],)
    if saved.multi_label:
        chosen = exceeds_threshold(row, saved.thresholds)
        labels = tuple(saved.classes[i] for i in order if chosen[i])
    values = row.tolist()
    probabilities = {saved.classes[i]: values[i] for i in (order[:top] if top else order)}
    return Prediction(file, labels, probabilities, window=window)
