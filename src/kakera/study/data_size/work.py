"""The units of the data-size study: a pretraining, a training at one rate, the measures of the chosen one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from kakera.commands.result import TrainResult, measure
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
SAMPLE = 2000  # training pictures whose answers are looked at, where there are more


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains the three networks on subsets of the training pictures, the val part beside them."""

    material: StudyData
    pool: Dataset
    """Labelled pictures in a train and a val part; none for testing."""
    cnn: str
    """The ResNet."""
    options: DataSizeOptions

    def kind(self, model: str) -> str:
        """Which recipe a network follows."""
        return FINETUNE if model == MAE else SCRATCH

    def length(self, model: str, count: int) -> dict[str, Any]:
        """Epochs and steps of a training, cut where `max_steps` says so."""
        steps, epoch = self.material.steps(self.kind(model), count)
        most = self.options.max_steps
        return {"epochs": most / epoch, "min_steps": 0} if most and steps > most else {}

    def steps(self, model: str, count: int) -> tuple[int, int]:
        """How many steps a training takes, and how many make an epoch."""
        return self.material.steps(self.kind(model), count, **self.length(model, count))

    def rate(self, model: str, multiple: float) -> float:
        """The base rate that is this multiple of the recipe's."""
        return multiple * self.material.recipes[self.kind(model)].base_lr

    def train(self, model: str, out: Path, start: Path | None, **changes: Any) -> TrainResult:
        """One of the three networks, measured on the val part."""
        words: dict[str, Any] = {CNN: {"model": self.cnn}, VIT: {}, MAE: {"init_from": start or ""}}[model]
        return self.material.classify(self.kind(model), self.pool, out, **words, **changes)

    def trained(
        self, values: Mapping[str, Any], out: Path, start: Path | None, multiple: float
    ) -> TrainResult:
        """As a unit says, at a multiple of the recipe's rate."""
        model, count, seed = values["model"], values["labels"], values["seed"]
        rate = self.rate(model, multiple)
        draws = {"labels": count, "label_seed": seed, "seed": seed}
        return self.train(model, out, start, base_lr=rate, **draws, **self.length(model, count))

    def sample(self, count: int, seed: int) -> Dataset:
        """The pictures that a network was trained on, or SAMPLE of them."""
        train = self.pool.part("train")
        assert train.labels is not None
        used = train.take(few(train.labels, count, seed))
        assert used.labels is not None
        return used if count <= SAMPLE else used.take(few(used.labels, SAMPLE, seed))


def pretrained(school: Trainer, trained: TrainResult[mae.MAE]) -> dict[str, Any]:
    """What a pretraining costs."""
    return {
        "parameters": costs.size(trained.saved),
        "flops": costs.step_flops(trained.saved, school.options.mask_ratio),
        "training_seconds": costs.training_seconds(trained.folder),
    }


def tuned(school: Trainer, folder: Path, values: dict[str, Any], start: Path | None) -> dict[str, Any]:
    """A training at one rate: its score on the val part, 0 where the rate was so high that it diverged."""
    try:
        trained = school.trained(values, folder, start, values["rate"])
    except DivergedError:
        return {"validation": 0.0, "training_seconds": costs.training_seconds(folder)}
    assert trained.evaluation is not None
    return {
        "validation": trained.evaluation.score,
        "training_seconds": costs.training_seconds(folder),
    }


def best_rate(found: Mapping[float, list[float]]) -> float:
    """The multiple whose mean score on the val part is highest; of equals the one nearest to the recipe's."""
    return max(found, key=lambda rate: (fmean(found[rate]), -abs(math.log(rate))))


def measured(school: Trainer, run: Path, values: dict[str, Any], rate: float) -> dict[str, Any]:
    """What a trained network does on test pictures, on its training pictures, and on moved ones."""
    saved, count, seed = require_classifier(load_model(run)), values["labels"], values["seed"]
    device = school.options.device
    test, sample = school.material.test, school.sample(count, seed)
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
        "moved": moved(saved, some, school.options.shifts, device),
        "parameters": costs.size(saved),
        "flops": costs.forward_flops(saved),
        "steps": school.steps(values["model"], count)[0],
        "training_seconds": costs.training_seconds(run),
    }


def tested(school: Trainer, trained: TrainResult, rate: float) -> dict[str, Any]:
    """What a network does on test pictures, and no more."""
    return {
        "rate": rate,
        "test": measure(trained.saved, school.material.test, device=school.options.device).score,
        "training_seconds": costs.training_seconds(trained.folder),
    }


def nearest_cnn(material: StudyData) -> str:
    """The ResNet whose number of parameters is nearest to that of the Transformer as a classifier.

    Of those with the stem for pictures of this size.
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


LEARNED = 0.99  # of its training pictures are right: there is nothing more to learn from them
BARELY = 0.9  # fewer of them right, and a flat loss shows a small rate, not an end
FLAT = 0.02  # of the loss: less than this between the last two quarters is no progress


def late_gain(folder: Path) -> float | None:
    """By which share the last quarter of a run lowered the loss; None where too little was written."""
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
    """Whether more training would probably have changed the result: not learned, and still getting better."""
    return train_score < BARELY or (train_score < LEARNED and (gain is None or gain > FLAT))
