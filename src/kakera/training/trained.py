"""What a training verb gives back, and how it ends: weights, description, measures and a page."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.errors import StorageError, sentence
from kakera.formats.native import Saved, load_model, save_model
from kakera.storage import write_atomically
from kakera.training.device import placed
from kakera.training.evaluate import evaluate
from kakera.training.evaluation import ClassResult, Evaluation
from kakera.training.infer import scores
from kakera.training.run import Run
from kakera.training.team import Team

EVALUATION, REPORT = "evaluation.json", "report.html"


@dataclass(frozen=True)
class Trained:
    """The folder of a finished run, its model, and how well it does on pictures it has not seen."""

    folder: Path
    saved: Saved
    evaluation: Evaluation | None = None
    leads: bool = True
    """Whether this process is the one that wrote it, and may speak."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities (n, classes) of the n readable files of a part, their numbers (n,) in it."""

    probabilities: NDArray[np.floating[Any]]
    numbers: NDArray[np.int64]
    seconds: float
    """That it took, of this process."""


Page = Callable[[Trained, Predictions | None], str]
"""Makes the page of a finished run; predictions are of its held-out part, None where they are not at hand."""


def finish(
    run: Run,
    saved: Saved,
    held_out: Dataset | None = None,
    workers: int = 0,
    device: str = "auto",
    page: Page | None = None,
) -> Trained:
    """Measure, then write everything; from the weights on, the run is finished. The page comes last."""
    evaluation = predictions = None
    if held_out is not None and len(held_out):
        predictions = predict_part(saved, held_out, workers, run.team, device)
        evaluation = _evaluated(predictions, held_out, saved)
    run.team.lead(lambda: _write(run, saved, evaluation))
    trained = Trained(run.folder, saved, evaluation, run.team.leads)
    if page is not None and trained.leads:
        write_page(run.folder, lambda: page(trained, predictions))
    return trained


def _write(run: Run, saved: Saved, evaluation: Evaluation | None) -> None:
    run.require_own()
    if evaluation is not None:
        text = json.dumps(evaluation.to_json(), indent=2)
        write_atomically(run.folder / EVALUATION, text.encode() + b"\n")
    save_model(run.folder, saved)
    run.require_own()  # what was deleted while these were written is not reported as finished
    run.drop_checkpoints()


def write_page(folder: Path, make: Callable[[], str]) -> None:
    """Write `report.html` into a folder; a failure is one line on stderr and no more.

    All that matters is on disk by then, and the same command, given again, makes what is missing.
    """
    path = folder / REPORT
    try:
        write_atomically(path, make().encode())
    except StorageError as error:
        print(f"warning: {error}", file=sys.stderr)
    except Exception as error:  # whatever it is, the training is not lost for it
        said = sentence(
            str(path),
            got=f"{type(error).__name__} ({error})",
            expected="a page",
            do="all else is saved; the same command tries again",
        )
        print(f"warning: {said}", file=sys.stderr)


def predict_part(
    saved: Saved, dataset: Dataset, workers: int = 0, team: Team | None = None, device: str = "auto"
) -> Predictions:
    """What a classifier makes of all readable files. Of a team each process takes every n-th one."""
    team, began = team or Team(), time.monotonic()
    mine = team.share(len(dataset))
    with placed(saved, device):
        found, kept, _ = scores(saved, dataset.take(mine), workers=workers, progress="measure")
    return Predictions(*team.rows(found, mine[kept]), time.monotonic() - began)


def measure(
    saved: Saved, dataset: Dataset, workers: int = 0, team: Team | None = None, device: str = "auto"
) -> Evaluation:
    """All measures of a classifier on labelled pictures; unreadable ones are left out, others count once."""
    return _evaluated(predict_part(saved, dataset, workers, team, device), dataset, saved)


def _evaluated(predictions: Predictions, dataset: Dataset, saved: Saved) -> Evaluation:
    assert dataset.labels is not None
    return evaluate(predictions.probabilities, dataset.labels[predictions.numbers], saved.classes)


def reopen(run: Run, page: Page | None = None) -> Trained:
    """The result of a run that is finished, whose page is made if it is missing."""
    path = run.folder / EVALUATION
    evaluation = None
    if path.exists():
        values = json.loads(path.read_text())
        values["per_class"] = tuple(ClassResult(**row) for row in values["per_class"])
        if "confusion" in values:
            values["confusion"] = tuple(map(tuple, values["confusion"]))
        evaluation = Evaluation(**values)
    trained = Trained(run.folder, load_model(run.folder), evaluation, run.team.leads)
    if page is not None and trained.leads and not (run.folder / REPORT).exists():
        write_page(run.folder, lambda: page(trained, None))
    return trained
