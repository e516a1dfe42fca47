"""The result of a training verb, and the end of a training: weights, evaluation and page."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import numpy as np
from typing_extensions import TypeVar

from kakera.data.dataset import Dataset
from kakera.errors import KakeraError, RunError, StorageError, sentence
from kakera.formats.bundle import Pretrained
from kakera.formats.inference import each_file
from kakera.formats.native import load_model, save_model
from kakera.model.network import Network
from kakera.storage import write_atomically
from kakera.training.device import moved_to_device
from kakera.training.distributed import Distributed
from kakera.training.metrics import evaluate_predictions
from kakera.training.metrics_report import ClassResult, Evaluation, TargetResult
from kakera.training.predictions import ROW, Predictions, judged
from kakera.training.regression_metrics import evaluate_numbers
from kakera.training.run import Run

EVALUATION, REPORT = "evaluation.json", "report.html"


M_co = TypeVar("M_co", bound=Network, default=Network, covariant=True)
M = TypeVar("M", bound=Network)


@dataclass(frozen=True)
class TrainResult(Generic[M_co]):
    """The folder of a finished run, its model, and its evaluation on held-out files.

    See `finetune` and `pretrain`.
    """

    folder: Path
    saved: Pretrained[M_co]
    evaluation: Evaluation | None = None
    """Evaluation on the test or val part; None for a pretraining, and for data without such labels."""
    is_main: bool = True
    """True if this process wrote the run folder; the other processes of a training should print nothing."""


Page = Callable[[TrainResult, Predictions | None], str]
"""Function that makes the page of a finished run; the predictions are those on the held-out part, or None."""


def finish(
    run: Run,
    saved: Pretrained[M],
    held_out: Dataset | None = None,
    workers: int = 0,
    device: str = "auto",
    page: Page | None = None,
) -> TrainResult[M]:
    """Write the weights, evaluate the model, and write the page.

    The run is finished once the weights are written. If a later part fails, the same command tries that
    part again. Raises RunError for such a failure.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> run = Run("run-finish", {"verb": "finetune"})
        >>> finish(run, saved).folder.name
        'run-finish'
    """
    run.dist.on_rank_zero(lambda: _write(run, saved))
    return _complete(run, saved, held_out, workers, device, page)


def reopen(
    run: Run,
    narrowed: Callable[[Pretrained], Pretrained[M]],
    held_out: Dataset | None = None,
    workers: int = 0,
    device: str = "auto",
    page: Page | None = None,
) -> TrainResult[M]:
    """Return the result of a finished run; evaluate it and write its page if they are missing.

    `narrowed` checks the kind of network, as `require_mae` does. Raises RunError if the evaluation fails.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> finished = finish(Run("run-reopen", {"verb": "finetune"}), saved)
        >>> reopen(Run("run-reopen", {"verb": "finetune"}), lambda saved: saved).saved.classes
        ('cat', 'dog')
    """
    return _complete(run, narrowed(load_model(run.folder)), held_out, workers, device, page)


def _write(run: Run, saved: Pretrained) -> None:
    run.require_own()
    save_model(run.folder, saved)
    run.require_own()  # raises if the run folder was deleted meanwhile, so it is not reported as finished
    run.drop_checkpoints()


def _complete(
    run: Run, saved: Pretrained[M], held_out: Dataset | None, workers: int, device: str, page: Page | None
) -> TrainResult[M]:
    evaluation, predictions = run.dist.on_rank_zero(lambda: _read_evaluation(run.folder)), None
    if evaluation is None and held_out is not None and len(held_out):
        with _after_the_weights(run.folder):
            predictions = predict_part(saved, held_out, workers, run.dist, device)
            evaluation = _evaluated(predictions, held_out, saved)
            run.dist.on_rank_zero(lambda: _write_evaluation(run, evaluation))
    trained = TrainResult(run.folder, saved, evaluation, run.dist.is_main)
    if page is not None and trained.is_main and not (run.folder / REPORT).exists():
        run.require_own()
        write_page(run.folder, lambda: page(trained, predictions))
    return trained


@contextmanager
def _after_the_weights(folder: Path) -> Generator[None, None, None]:
    """Raise RunError for any error of the evaluation; the message says that the model is saved."""
    try:
        yield
    except KakeraError as error:
        raise RunError(f"{folder}: the model is saved, but its evaluation failed: {error}") from error
    except Exception as error:
        raise RunError(
            str(folder),
            got=f"{type(error).__name__} ({error}) during the evaluation",
            expected="an evaluation",
            do="run the same command again to evaluate the saved model",
        ) from error


def _write_evaluation(run: Run, evaluation: Evaluation) -> None:
    run.write_file(EVALUATION, json.dumps(evaluation.to_json(), indent=2).encode() + b"\n")


def _read_evaluation(folder: Path) -> Evaluation | None:
    """Return the stored evaluation; None if the file is missing or unreadable."""
    try:
        values = json.loads((folder / EVALUATION).read_text())
        values["per_class"] = tuple(ClassResult(**row) for row in values["per_class"])
        if "per_target" in values:
            values["per_target"] = tuple(TargetResult(**row) for row in values["per_target"])
        for name in ("confusion", "confused"):
            if name in values:
                values[name] = tuple(map(tuple, values[name]))
        if "thresholds" in values:
            values["thresholds"] = tuple(values["thresholds"])
        return Evaluation(**values)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_page(folder: Path, make: Callable[[], str]) -> None:
    """Write `report.html` into a folder; if this fails, print one line on stderr and raise nothing.

    All other files are saved by then, and the same command writes a missing page.

    Example:

        >>> write_page(Path(), lambda: "<h1>Report</h1>")
        >>> Path("report.html").read_text()
        '<h1>Report</h1>'
    """
    path = folder / REPORT
    try:
        write_atomically(path, make().encode(), parents=False)
    except StorageError as error:
        print(f"warning: {error}", file=sys.stderr)
    except Exception as error:  # no error of the page may make a finished training fail
        message = sentence(
            str(path),
            got=f"{type(error).__name__} ({error})",
            expected="a page",
            do="run the same command again to write it; everything else is saved",
        )
        print(f"warning: {message}", file=sys.stderr)


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
    return _evaluated(predict_part(saved, dataset, workers, dist, device), dataset, saved)


def _evaluated(predictions: Predictions, dataset: Dataset, saved: Pretrained) -> Evaluation:
    assert dataset.labels is not None
    labels = dataset.labels[predictions.numbers]
    if saved.targets is not None and predictions.values is not None:
        return evaluate_numbers(predictions.values, labels, saved.classes, saved.targets.mean)
    return evaluate_predictions(predictions, labels, saved.classes, saved.thresholds)
