"""The work units of the mask-ratio study (pretraining, probe, fine-tuning), and their time estimates."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kakera.commands.result import TrainResult
from kakera.data.split import few
from kakera.formats.features import features
from kakera.formats.native import load_model
from kakera.study import costs
from kakera.study.costs import pace, rate
from kakera.study.plan import WorkUnit
from kakera.study.setup import FINETUNE, PRETRAIN, StudyData
from kakera.training.device import moved_to_device
from kakera.training.metrics import evaluate
from kakera.training.probes.ridge import ridge

POOLS = ("mean", "class")


def pretrained(material: StudyData, folder: Path, values: dict[str, Any], epochs: float) -> dict[str, Any]:
    """Pretrain a masked autoencoder at one ratio, and return its costs."""
    ratio, pictures = values["ratio"], len(material.dataset.part("train"))
    trained = material.pretrain(folder, mask_ratio=ratio, seed=values["seed"], epochs=epochs)
    steps, epoch = material.steps(PRETRAIN, pictures, epochs=epochs)
    return {
        "steps": steps,
        "pictures_seen": steps * min(material.recipes[PRETRAIN].batch_size, pictures),
        "steps_of_an_epoch": epoch,
        "flops": costs.step_flops(trained.saved, ratio),
        "parameters": costs.size(trained.saved),
        "training_seconds": costs.training_seconds(folder),
    }


def probed(material: StudyData, start: Path, seed: int, counts: list[int]) -> list[dict[str, Any]]:
    """Probe frozen tokens with ridge regression, for each number of labels, on mean and class token."""
    saved, train, test = load_model(start), material.labelled, material.test
    with moved_to_device(saved, material.recipes[PRETRAIN].device):
        seen, numbers = features(saved, train, [-1], POOLS)
        unseen, test_numbers = features(saved, test, [-1], POOLS)
    train, test = train.take(numbers), test.take(test_numbers)
    assert train.labels is not None
    assert test.labels is not None
    classes, found = material.dataset.classes, list[dict[str, Any]]()
    for count in counts:
        rows = few(train.labels, min(count, len(train)), seed)
        for pool in POOLS:
            tokens, others = seen[-1, pool][rows], unseen[-1, pool]
            scores = ridge(tokens, train.labels[rows], others, classes=len(classes), seed=seed)
            score = evaluate(scores, test.labels, classes).score
            found.append({"pool": pool, "labels": len(rows), "score": score})
    return found


def finetuned(material: StudyData, folder: Path, start: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Fine-tune a pretrained model with the labels of the unit, and measure it on the test pictures."""
    seed = values["seed"]
    trained = material.classify(
        FINETUNE,
        material.dataset,
        folder,
        init_from=start,
        labels=values["labels"],
        label_seed=seed,
        seed=seed,
    )
    assert trained.evaluation is not None
    return {"score": trained.evaluation.score, "training_seconds": costs.training_seconds(folder)}


SAMPLE = 1000  # pictures for measuring the speed of reading tokens


def measure(material: StudyData, ratios: list[float], labels: int, epochs: float) -> dict[str, float]:
    """Measure seconds for start and step of pretraining (each ratio) and fine-tuning, and to read tokens."""
    found, trained = dict[str, float](), list[TrainResult]()
    steps, epoch = material.steps(PRETRAIN, len(material.dataset.part("train")), epochs=epochs)
    with tempfile.TemporaryDirectory() as temporary:
        room, start = Path(temporary), None
        for ratio in ratios:

            def pretrain(folder: Path, steps: int, hide: float = ratio) -> None:
                trained.append(material.pretrain(folder, mask_ratio=hide, epochs=steps / epoch))

            measured = pace(pretrain, steps, room / f"{ratio:g}", start)
            start = measured.start
            found |= {f"{PRETRAIN} step {ratio:g}": measured.step, f"{PRETRAIN} start": start}
        saved = trained[-1].saved
        test = material.test.take(np.arange(min(len(material.test), SAMPLE)))
        found["tokens"], _ = rate(lambda: features(saved, test, [-1], ["mean", "class"]), len(test))
        steps, epoch = material.steps(FINETUNE, labels)

        def finetune(folder: Path, steps: int) -> None:
            changes = {"labels": labels, "epochs": steps / epoch, "min_steps": 0}
            material.classify(FINETUNE, material.dataset, folder, init_from=trained[-1].folder, **changes)

        measured = pace(finetune, steps, room / FINETUNE)
    return found | {f"{FINETUNE} start": measured.start, f"{FINETUNE} step": measured.step}


def seconds(material: StudyData, unit: WorkUnit, costs: Mapping[str, float], epochs: float) -> float:
    """Return the estimated seconds of a unit.

    Example:

        >>> from types import SimpleNamespace
        >>> material = SimpleNamespace(steps=lambda kind, count: (100, 10))
        >>> unit = WorkUnit("tuned", "finetune", {"labels": 100})
        >>> seconds(material, unit, {"finetune start": 5.0, "finetune step": 0.1}, epochs=10)
        15.0
    """
    if unit.kind == PRETRAIN:
        steps, _ = material.steps(PRETRAIN, len(material.dataset.part("train")), epochs=epochs)
        return costs[f"{PRETRAIN} start"] + steps * costs[f"{PRETRAIN} step {unit.values['ratio']:g}"]
    if unit.kind == FINETUNE:
        steps, _ = material.steps(FINETUNE, unit.values["labels"])
        return costs[f"{FINETUNE} start"] + steps * costs[f"{FINETUNE} step"]
    return costs["tokens"] * (len(material.labelled) + len(material.test))
