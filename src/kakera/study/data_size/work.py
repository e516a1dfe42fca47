"""The work units of the data-size study: pretraining, training at one rate, evaluation at the chosen rate."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from kakera.commands.evaluation import measure
from kakera.commands.result import TrainResult
from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.errors import DivergedError
from kakera.formats.bundle import require_classifier
from kakera.formats.native import count_parameters, load_model
from kakera.model import mae
from kakera.model.classifier import Classifier
from kakera.model.configs import RESNETS
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.study import costs
from kakera.study.data_size.shift_test import MOST, moved
from kakera.study.setup import FINETUNE, SCRATCH, StudyData
from kakera.study.study_options import DataSizeOptions
from kakera.training.planning.rules import SMALL

CNN, VIT, MAE = "cnn", "vit", "mae"
MODELS = (CNN, VIT, MAE)
SAMPLE = 2000  # largest number of training pictures that are evaluated


@dataclass(frozen=True, eq=False)
class Trainer:
    """Train the three networks on subsets of the training pictures, with the val part.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> trainer = Trainer(None, open_dataset("demo"), "resnet-micro", DataSizeOptions("demo"))
        >>> trainer.kind(MAE), len(trainer.sample(count=20, seed=0))
        ('finetune', 20)
    """

    material: StudyData
    pool: Dataset
    """Labelled pictures in a train and a val part, without a test part."""
    cnn: str
    """The name of the ResNet."""
    options: DataSizeOptions

    def kind(self, model: str) -> str:
        """Return the kind of training (and recipe) of a network: finetune or scratch."""
        return FINETUNE if model == MAE else SCRATCH

    def length(self, model: str, count: int) -> dict[str, Any]:
        """Return the options that limit a training to `max_steps`; empty without a limit."""
        steps, epoch = self.material.steps(self.kind(model), count)
        most = self.options.max_steps
        return {"epochs": most / epoch, "min_steps": 0} if most and steps > most else {}

    def steps(self, model: str, count: int) -> tuple[int, int]:
        """Return the number of steps of a training, and the steps of an epoch."""
        return self.material.steps(self.kind(model), count, **self.length(model, count))

    def rate(self, model: str, multiple: float) -> float:
        """Return the base learning rate: `multiple` times that of the recipe."""
        return multiple * self.material.recipes[self.kind(model)].base_lr

    def train(self, model: str, out: Path, start: Path | None, **changes: Any) -> TrainResult:
        """Train one of the three networks, and measure it on the val part."""
        words: dict[str, Any] = {CNN: {"model": self.cnn}, VIT: {}, MAE: {"init_from": start or ""}}[model]
        return self.material.classify(self.kind(model), self.pool, out, **words, **changes)

    def trained(
        self, values: Mapping[str, Any], out: Path, start: Path | None, multiple: float
    ) -> TrainResult:
        """Train a network with the settings of a unit, at a multiple of the recipe rate."""
        model, count, seed = values["model"], values["labels"], values["seed"]
        rate = self.rate(model, multiple)
        draws = {"labels": count, "label_seed": seed, "seed": seed}
        return self.train(model, out, start, base_lr=rate, **draws, **self.length(model, count))

    def sample(self, count: int, seed: int) -> Dataset:
        """Return the training pictures of a network, at most SAMPLE of them."""
        train = self.pool.part("train")
        assert train.labels is not None
        used = train.take(few(train.labels, count, seed))
        assert used.labels is not None
        return used if count <= SAMPLE else used.take(few(used.labels, SAMPLE, seed))


def pretrained(trainer: Trainer, trained: TrainResult[mae.MAE]) -> dict[str, Any]:
    """Return the costs of a pretraining: parameters, FLOPs and seconds."""
    return {
        "parameters": costs.size(trained.saved),
        "flops": costs.step_flops(trained.saved, trainer.options.mask_ratio),
        "training_seconds": costs.training_seconds(trained.folder),
    }


def tuned(trainer: Trainer, folder: Path, values: dict[str, Any], start: Path | None) -> dict[str, Any]:
    """Train at one rate and return the score on the val part; 0 if the training diverged."""
    try:
        trained = trainer.trained(values, folder, start, values["rate"])
    except DivergedError:
        return {"validation": 0.0, "training_seconds": costs.training_seconds(folder)}
    assert trained.evaluation is not None
    return {
        "validation": trained.evaluation.score,
        "training_seconds": costs.training_seconds(folder),
    }


def best_rate(found: Mapping[float, list[float]]) -> float:
    """Return the multiple with the highest mean score on the val part.

    For equal scores, it is the one nearest to 1, the rate of the recipe.

    Example:

        >>> best_rate({0.5: [0.8, 0.9], 1.0: [0.9, 0.9], 2.0: [0.9, 0.9]})
        1.0
    """
    return max(found, key=lambda rate: (fmean(found[rate]), -abs(math.log(rate))))


def measured(trainer: Trainer, run: Path, values: dict[str, Any], rate: float) -> dict[str, Any]:
    """Measure a trained network on test pictures, on its training pictures, and on shifted pictures."""
    saved, count, seed = require_classifier(load_model(run)), values["labels"], values["seed"]
    device = trainer.options.device
    test, sample = trainer.material.test, trainer.sample(count, seed)
    score, train_score = (measure(saved, part, device=device).score for part in (test, sample))
    some = test
    if len(test) > MOST:
        assert test.labels is not None
        some = test.take(few(test.labels, MOST, 0))
    return {
        "rate": rate,
        "test": score,
        "train": train_score,
        "late_gain": late_gain(run),
        "moved": moved(saved, some, trainer.options.shifts, device),
        "parameters": costs.size(saved),
        "flops": costs.forward_flops(saved),
        "steps": trainer.steps(values["model"], count)[0],
        "training_seconds": costs.training_seconds(run),
    }


def tested(trainer: Trainer, trained: TrainResult, rate: float) -> dict[str, Any]:
    """Measure a network on test pictures only."""
    return {
        "rate": rate,
        "test": measure(trained.saved, trainer.material.test, device=trainer.options.device).score,
        "training_seconds": costs.training_seconds(trained.folder),
    }


def nearest_cnn(material: StudyData) -> str:
    """Return the name of the ResNet whose number of parameters is nearest to that of the Transformer.

    Only ResNets with the stem for this picture size are considered.

    Example:

        >>> from types import SimpleNamespace
        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.configs import vit_config
        >>> facts = {"shape": vit_config("micro"), "inputs": InputSpec(1, 28, 28, (0.5,), (0.5,))}
        >>> nearest_cnn(SimpleNamespace(dataset=open_dataset("demo"), **facts))
        'resnet-micro'
    """
    classes, channels = len(material.dataset.classes), material.dataset.channels
    stem = "small" if max(material.inputs.size) <= SMALL else "large"
    with torch.device("meta"):
        counts = {
            name: count_parameters(ResNet(shape, channels=channels, classes=classes))
            for name, shape in RESNETS.items()
            if shape.stem == stem
        }
        encoder = ViT(material.shape, channels=channels, image_size=material.inputs.size)
        ours = count_parameters(Classifier(encoder, classes))
    return min(counts, key=lambda name: abs(math.log(counts[name] / ours)))


LEARNED = 0.99  # training accuracy from which a network has learned its training pictures
BARELY = 0.9  # training accuracy below which a flat loss means a small rate, not a finished training
FLAT = 0.02  # smallest relative change of the loss in the last quarter that counts as progress


def late_gain(folder: Path) -> float | None:
    """Return the share by which the last quarter of a run lowered the loss; None with too few metrics.

    Example:

        >>> rows = [{"step": step, "loss": 1 / step} for step in (1, 2, 3, 4)]
        >>> _ = Path("metrics.jsonl").write_text(chr(10).join(map(json.dumps, rows)))
        >>> f"{late_gain(Path()):.2f}"
        '0.25'
    """
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "loss" in row]
    if not rows:
        return None
    last = rows[-1]["step"]
    third = [row["loss"] for row in rows if last / 2 < row["step"] <= 3 * last / 4]
    fourth = [row["loss"] for row in rows if row["step"] > 3 * last / 4]
    if not third or not fourth or not fmean(third):
        return None
    return 1 - fmean(fourth) / fmean(third)


def cut_short(train_score: float, gain: float | None) -> bool:
    """Return True if more training would probably change the result.

    This is the case if the training accuracy is below 0.9, or below 0.99 while the loss still falls.

    Example:

        >>> cut_short(1.0, None), cut_short(0.95, 0.1), cut_short(0.95, 0.0)
        (False, True, False)
    """
    return train_score < BARELY or (train_score < LEARNED and (gain is None or gain > FLAT))
