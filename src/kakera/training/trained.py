"""What a training verb gives back, and how it ends: weights, description and measures in the run folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kakera.data.dataset import Dataset
from kakera.formats.native import Saved, load_model, save_model, write_atomically
from kakera.training.evaluate import evaluate
from kakera.training.evaluation import ClassResult, Evaluation
from kakera.training.infer import scores
from kakera.training.run import Run

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Trained:
    """The folder of a finished run, its model, and how well it does on pictures it has not seen."""

    folder: Path
    saved: Saved
    evaluation: Evaluation | None = None


def finish(run: Run, saved: Saved, held_out: Dataset | None = None, workers: int = 0) -> Trained:
    """Measure, then write everything; from the weights on, which come last, the run is finished."""
    evaluation = None
    if held_out is not None and len(held_out):
        evaluation = measure(saved, held_out, workers)
        text = json.dumps(evaluation.to_json(), indent=2)
        write_atomically(run.folder / EVALUATION, text.encode() + b"\n")
    save_model(run.folder, saved)
    run.drop_checkpoints()
    return Trained(run.folder, saved, evaluation)


def measure(saved: Saved, dataset: Dataset, workers: int = 0) -> Evaluation:
    """All measures of a classifier on labelled pictures; unreadable ones are left out."""
    probabilities, numbers, _ = scores(saved, dataset, workers=workers)
    assert dataset.labels is not None
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
    return Trained(run.folder, load_model(run.folder), evaluation)
