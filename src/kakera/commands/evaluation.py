"""The predictions for a labelled part of the data, and their evaluation."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.formats.inference import each_file
from kakera.training.device import moved_to_device
from kakera.training.distributed import Distributed
from kakera.training.metrics import evaluate_predictions
from kakera.training.metrics_report import Evaluation
from kakera.training.predictions import ROW, Predictions, judged
from kakera.training.regression_metrics import evaluate_numbers


def predict_part(
    saved: Pretrained,
    dataset: Dataset,
    workers: int = 0,
    dist: Distributed | None = None,
    device: str = "auto",
) -> Predictions:
    """Predict all readable files of a labelled data set; each of n processes predicts every n-th file.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.open import open_dataset
        >>> network = Classifier("nano", 10, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> files = open_dataset("demo").part("test").take(np.arange(4))
        >>> predict_part(saved, files, device="cpu").numbers.tolist()
        [0, 1, 2, 3]
    """
    assert dataset.labels is not None
    dist, began = dist or Distributed(), time.monotonic()
    mine = dist.own_rows(len(dataset))
    rows, numbers, probabilities = [np.empty(0, ROW)], [np.empty(0, np.int64)], list[Any]()
    with moved_to_device(saved, device):
        for kept, values, _ in each_file(saved, dataset.take(mine), workers=workers, progress="measure"):
            numbers.append(mine[kept])
            if dataset.labels.ndim == 2:
                probabilities.append(values)
            else:
                rows.append(judged(values, dataset.labels[mine[kept]]))
    found = np.concatenate(probabilities if dataset.labels.ndim == 2 else rows)
    together, places = dist.gather_rows(found, np.concatenate(numbers))
    seconds = time.monotonic() - began
    if dataset.regression:
        return Predictions(places, np.empty(0, ROW), seconds=seconds, values=together)
    if dataset.multi_label:
        return Predictions(places, np.empty(0, ROW), together, seconds)
    return Predictions(places, together, seconds=seconds)


def measure(
    saved: Pretrained,
    dataset: Dataset,
    workers: int = 0,
    dist: Distributed | None = None,
    device: str = "auto",
) -> Evaluation:
    """Evaluate a classifier on labelled files; skip unreadable files.

    `workers` is the number of processes that read files. With several training processes (`dist`), each
    predicts a part of the files, and each file counts once. `device` is cpu, cuda, mps or auto.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.open import open_dataset
        >>> network = Classifier("nano", 10, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> files = open_dataset("demo").part("test").take(np.arange(4))
        >>> 0 <= measure(saved, files, device="cpu").score <= 1
        True
    """
    return evaluate_part(predict_part(saved, dataset, workers, dist, device), dataset, saved)


def evaluate_part(predictions: Predictions, dataset: Dataset, saved: Pretrained) -> Evaluation:
    """Compare predictions with the labels or numbers of the same files.

    See `measure`.
    """
    assert dataset.labels is not None
    labels = dataset.labels[predictions.numbers]
    if saved.targets is not None and predictions.values is not None:
        return evaluate_numbers(predictions.values, labels, saved.classes, saved.targets.mean)
    return evaluate_predictions(predictions, labels, saved.classes, saved.thresholds)
