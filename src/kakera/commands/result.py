"""The result of a training verb, and the end of a training: weights, evaluation and page."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from typing_extensions import TypeVar

from kakera.commands.evaluation import evaluate_part, predict_part
from kakera.commands.pages.writing import REPORT, write_page
from kakera.data.dataset import Dataset
from kakera.errors import KakeraError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.native import load_model, save_model
from kakera.model.network import Network
from kakera.training.metrics_report import Evaluation
from kakera.training.ordinal import with_rank_measures
from kakera.training.predictions import Predictions
from kakera.training.run import Run

EVALUATION = "evaluation.json"


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
            evaluation = evaluate_part(predictions, held_out, saved)
            evaluation = with_rank_measures(evaluation, run.config, saved.classes)
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
        return Evaluation.from_json(json.loads((folder / EVALUATION).read_text()))
    except (OSError, ValueError, TypeError, KeyError):
        return None
