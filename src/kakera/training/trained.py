"""What a training verb gives back, and how it ends: weights, description and measures in the run folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kakera.data.dataset import Dataset
from kakera.formats.native import Saved, load_model, save_model
from kakera.storage import write_atomically
from kakera.training.device import placed
from kakera.training.evaluate import evaluate
from kakera.training.evaluation import ClassResult, Evaluation
from kakera.training.infer import scores
from kakera.training.run import Run
from kakera.training.team import Team

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Trained:
    """The folder of a finished run, its model, and how well it does on pictures it has not seen."""

    folder: Path
    saved: Saved
    evaluation: Evaluation | None = None
    leads: bool = True
    """Whether this process is the one that wrote it, and may speak."""


def finish(
    run: Run, saved: Saved, held_out: Dataset | None = None, workers: int = 0, device: str = "auto"
) -> Trained:
    """Measure, then write everything; from the weights on, which come last, the run is finished."""
    evaluation = None
    if held_out is not None and len(held_out):
        evaluation = measure(saved, held_out, workers, run.team, device)
    run.team.lead(lambda: _write(run, saved, evaluation))
    return Trained(run.folder, saved, evaluation, run.team.leads)


def _write(run: Run, saved: Saved, evaluation: Evaluation | None) -> None:
    run.require_own()
    if evaluation is not None:
        text = json.dumps(evaluation.to_json(), indent=2)
        write_atomically(run.folder / EVALUATION, text.encode() + b"\n")
    save_model(run.folder, saved)
    run.require_own()  # what was deleted while these were written is not reported as finished
    run.drop_checkpoints()


def measure(
    saved: Saved, dataset: Dataset, workers: int = 0, team: Team | None = None, device: str = "auto"
) -> Evaluation:
    """All measures of a classifier on labelled pictures; unreadable ones are left out.

    Of a team each process takes every n-th picture, and each picture counts once.
    """
    team = team or Team()
    assert dataset.labels is not None
    mine = team.share(len(dataset))
    with placed(saved, device):
        found, kept, _ = scores(saved, dataset.take(mine), workers=workers, progress="measure")
    probabilities, numbers = team.rows(found, mine[kept])
    return evaluate(probabilities, dataset.labels[numbers], saved.classes)


def reopen(run: Run) -> Trained:
    """The result of a run that is finished."""
    path = run.folder / EVALUATION
    evaluation = None
    if path.exists():
        values = json.loads(path.read_text())
        values["per_class"] = tuple(ClassResult(**row) for row in values["per_class"])
        if "confusion" in values:
            values["confusion"] = tuple(map(tuple, values["confusion"]))
        evaluation = Evaluation(**values)
    return Trained(run.folder, load_model(run.folder), evaluation, run.team.leads)
