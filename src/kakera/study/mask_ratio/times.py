"""How long the work of the mask-ratio study takes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kakera.commands.result import Trained
from kakera.study.plan import Unit
from kakera.study.setup import FINETUNE, PRETRAIN, Material
from kakera.study.stopwatch import pace, rate
from kakera.training.inference import features

SAMPLE = 1000  # pictures, to see how fast tokens are read


def measure(material: Material, ratios: list[float], labels: int, epochs: float) -> dict[str, float]:
    """Seconds to start and for a step of pretraining at each ratio and of fine-tuning, and to read tokens."""
    found, trained = dict[str, float](), list[Trained]()
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


def seconds(material: Material, unit: Unit, costs: Mapping[str, float], epochs: float) -> float:
    """What a unit should take."""
    if unit.kind == PRETRAIN:
        steps, _ = material.steps(PRETRAIN, len(material.dataset.part("train")), epochs=epochs)
        return costs[f"{PRETRAIN} start"] + steps * costs[f"{PRETRAIN} step {unit.values['ratio']:g}"]
    if unit.kind == FINETUNE:
        steps, _ = material.steps(FINETUNE, unit.values["labels"])
        return costs[f"{FINETUNE} start"] + steps * costs[f"{FINETUNE} step"]
    return costs["tokens"] * (len(material.labelled) + len(material.test))
