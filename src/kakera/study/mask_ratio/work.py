"""The units of the mask-ratio study: a pretraining, a probe of it, a fine-tuning from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kakera.data.split import few
from kakera.formats.native import load_model
from kakera.study import costs
from kakera.study.setup import FINETUNE, PRETRAIN, Material
from kakera.training.device import placed
from kakera.training.inference import features
from kakera.training.metrics import evaluate
from kakera.training.probes.ridge import ridge

POOLS = ("mean", "class")


def pretrained(material: Material, folder: Path, values: dict[str, Any], epochs: float) -> dict[str, Any]:
    """A masked autoencoder at one ratio, and what it costs."""
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


def probed(material: Material, start: Path, seed: int, counts: list[int]) -> list[dict[str, Any]]:
    """Ridge regression on frozen tokens, for each number of labels, on the mean and on the class token."""
    saved, train, test = load_model(start), material.labelled, material.test
    with placed(saved, material.recipes[PRETRAIN].device):
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


def finetuned(material: Material, folder: Path, start: Path, values: dict[str, Any]) -> dict[str, Any]:
    """A classifier from a pretraining, with as many labels as asked for, measured on the test pictures."""
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
