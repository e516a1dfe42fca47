"""Time estimates for the work units of the data-size study."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kakera.commands.result import TrainResult
from kakera.formats.inference import predict_proba
from kakera.study.costs import pace, rate
from kakera.study.data_size.shift_test import MOST, directions
from kakera.study.data_size.work import MAE, MODELS, SAMPLE, Trainer
from kakera.study.plan import WorkUnit
from kakera.study.setup import FINETUNE, PRETRAIN

LOOKED = 1000  # pictures for measuring the speed of predictions


def measure(trainer: Trainer, counts: list[int], epochs: float) -> dict[str, float]:
    """Measure seconds for start and step of pretraining and of each network, and for a prediction of each."""
    material, found, trained = trainer.material, dict[str, float](), list[TrainResult]()
    steps, epoch = material.steps(PRETRAIN, len(material.dataset.part("train")), epochs=epochs)
    test = material.test.take(np.arange(min(len(material.test), LOOKED)))
    with tempfile.TemporaryDirectory() as temporary:
        room = Path(temporary)

        def pretrain(folder: Path, steps: int) -> None:
            trained.append(material.pretrain(folder, epochs=steps / epoch))

        measured = pace(pretrain, steps, room / PRETRAIN)
        found |= {f"{PRETRAIN} start": measured.start, f"{PRETRAIN} step": measured.step}
        start = trained[-1].folder
        for model in MODELS:
            count = reference(trainer, model, counts)
            steps, per_epoch = trainer.steps(model, count)

            def train(
                folder: Path, steps: int, model: str = model, count: int = count, each: int = per_epoch
            ) -> None:
                length = {"epochs": steps / each, "min_steps": 0}
                trained.append(trainer.train(model, folder, start, labels=count, **length))

            measured = pace(train, steps, room / model)
            saved = trained[-1].saved
            found |= {f"{model} start": measured.start, f"{model} step": measured.step}
            found[f"{model} answer"], _ = rate(lambda saved=saved: predict_proba(saved, test), len(test))
    return found


def reference(trainer: Trainer, model: str, counts: list[int]) -> int:
    """Return the smallest number of labels that fills a batch, else the largest number.

    Example:

        >>> from types import SimpleNamespace
        >>> recipes = {"scratch": SimpleNamespace(batch_size=64)}
        >>> trainer = SimpleNamespace(material=SimpleNamespace(recipes=recipes), kind=lambda model: "scratch")
        >>> reference(trainer, "vit", [10, 100, 1000])
        100
    """
    batch = trainer.material.recipes[trainer.kind(model)].batch_size
    return next((count for count in sorted(counts) if count >= batch), max(counts))


def seconds(
    trainer: Trainer, unit: WorkUnit, costs: Mapping[str, float], counts: list[int], epochs: float
) -> float:
    """Return the estimated seconds of a unit; `counts` are the numbers of labels of the measurement.

    Example:

        >>> from types import SimpleNamespace
        >>> material = SimpleNamespace(test=range(1000))
        >>> unit = WorkUnit("longer", "longer", {"model": MAE, "labels": 100, "trains": False})
        >>> trainer = SimpleNamespace(material=material)
        >>> seconds(trainer, unit, {"mae answer": 0.01}, [100], epochs=10)
        10.0
    """
    material = trainer.material
    if unit.kind == PRETRAIN:
        epochs = unit.values.get("epochs", epochs)
        steps, _ = material.steps(PRETRAIN, len(material.dataset.part("train")), epochs=epochs)
        return costs[f"{PRETRAIN} start"] + steps * costs[f"{PRETRAIN} step"]
    model, count = unit.values["model"], unit.values["labels"]
    training = 0.0
    if unit.kind == "tune" or unit.values["trains"]:
        measured = reference(trainer, model, counts)
        batch = material.recipes[trainer.kind(model)].batch_size
        share = min(batch, count) / min(batch, measured)
        training = costs[f"{model} start"] + share * trainer.steps(model, count)[0] * costs[f"{model} step"]
        if model == MAE and getattr(material.recipes[FINETUNE], "head", "") == "ridge":
            training += max(0, count - measured) * costs[f"{model} answer"]
    if unit.kind == "tune":
        return training
    if unit.kind == "longer":
        return training + costs[f"{model} answer"] * len(material.test)
    moving = min(len(material.test), MOST) * (
        len(directions(material.inputs)) * len(trainer.options.shifts) + 3
    )
    return training + costs[f"{model} answer"] * (len(material.test) + min(count, SAMPLE) + moving)
