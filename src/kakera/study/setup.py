"""The data of a study, split into parts, and the options of each kind of training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kakera import seeding
from kakera.commands.finetune import finetune
from kakera.commands.labelled import labelled_part, require_classes
from kakera.commands.prepare import prepare, require_patches
from kakera.commands.pretrain import pretrain
from kakera.commands.result import TrainResult
from kakera.data.batch import Augmentation
from kakera.data.dataset import Dataset
from kakera.data.split import stratified
from kakera.errors import DataError
from kakera.formats.bundle import WithHead
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.configs import ViTConfig, vit_config
from kakera.model.mae import MAE
from kakera.option_fields import AUTO
from kakera.study.study_options import DataSizeOptions, TrainingStudyOptions
from kakera.training.options import FinetuneOptions, LearningOptions, PretrainOptions
from kakera.training.plan import TrainingPlan

PRETRAIN, FINETUNE, SCRATCH = "pretrain", "finetune", "scratch"
SHOWN = 6  # pictures in the report with their reconstructions


@dataclass(frozen=True, eq=False)
class StudyData:
    """The data set (in memory if it is small), the network, and the options of the recipes.

    See `study_data`.
    """

    dataset: Dataset
    shape: ViTConfig
    grid: Grid
    inputs: InputSpec
    """The input of the networks."""
    option_values: dict[str, dict[str, Any]]
    """The keyword arguments of each kind of training."""
    recipes: dict[str, LearningOptions]
    """All options of each kind of training, from its recipe and `option_values`."""
    digest: dict[str, str]
    """Digests of files, labels and split."""

    def pretrain(self, out: Path, **changes: Any) -> TrainResult[MAE]:
        """Run `kakera pretrain` on all training pictures."""
        return pretrain(self.dataset, out=out, **{**self.option_values[PRETRAIN], **changes})

    def classify(self, kind: str, dataset: Dataset, out: Path, **changes: Any) -> TrainResult[WithHead]:
        """Run `kakera finetune` with the options of a kind of training."""
        words: dict[str, Any] = {"baselines": False, **self.option_values[kind], **changes}
        return finetune(dataset, out=out, **words)

    def steps(self, kind: str, count: int, **changes: Any) -> tuple[int, int]:
        """Return the number of steps of a training on `count` pictures, and the steps of an epoch."""
        recipe = replace(self.recipes[kind], **changes)
        some = self.dataset.take(np.zeros(count, dtype=np.int64))
        plan = TrainingPlan(some, self.inputs.size, Augmentation(), recipe, 0, 0)
        return plan.steps, plan.steps_per_epoch

    @property
    def labelled(self) -> Dataset:
        """The training pictures with a label."""
        return labelled_part(self.dataset, "train")

    @property
    def test(self) -> Dataset:
        """The labelled test pictures."""
        return labelled_part(self.dataset, "test")

    @property
    def shown(self) -> Dataset:
        """A few test pictures for the report, the same ones in every study."""
        test = self.test
        return test.take(seeding.permutation(0, 0, len(test), "shown")[:SHOWN])

    def describe(self) -> dict[str, Any]:
        """Return the facts about the data that must be equal when a study is resumed."""
        return {
            "pictures": len(self.dataset.part("train")),
            "labelled": len(self.labelled),
            "test": len(self.test),
            "classes": list(self.dataset.classes),
            "digest": self.digest,
        }


def study_data(data: str | Path | Dataset, options: TrainingStudyOptions) -> StudyData:
    """Open the data and read the recipes.

    Raises DataError if classes or test labels are missing, and OptionError for an invalid option.
    """
    words = {PRETRAIN: _pretrain_words(options), FINETUNE: _finetune_words(options)}
    if isinstance(options, DataSizeOptions):
        words[SCRATCH] = _scratch_words(options)
    recipe = words[PRETRAIN].pop("recipe")
    chosen, prepared = prepare(PretrainOptions, data, recipe, {**words[PRETRAIN], "seed": options.seed})
    words[PRETRAIN]["recipe"] = recipe
    require_classes(prepared.dataset)
    if not len(labelled_part(prepared.dataset, "test")):
        raise DataError(
            prepared.dataset.name,
            got="no labelled test pictures",
            expected="at least one",
            do="add a test part",
        )
    shape = require_patches(vit_config(chosen.model), chosen.patch)
    inputs = prepared.inputs(chosen.image_size, shape.patch, chosen.seconds)
    recipes: dict[str, LearningOptions] = {PRETRAIN: chosen}
    for kind in set(words) - {PRETRAIN}:
        # The same Transformer in all trainings, so its size in the other recipes does not count.
        words[kind] |= {"model": chosen.model, "patch": chosen.patch} if kind == SCRATCH else {}
        if inputs.sound is not None and kind == SCRATCH:  # and the same spectrogram
            words[kind] |= {"sound": chosen.sound, "seconds": chosen.seconds}
        values = {name: value for name, value in words[kind].items() if name != "recipe"}
        # Fine-tuning uses the spectrogram settings of the pretrained model.
        values |= {"init_from": "a run", "sound": chosen.sound} if kind == FINETUNE else {}
        recipes[kind] = prepare(FinetuneOptions, prepared.dataset, words[kind]["recipe"], values)[0]
    grid = Grid.cover(inputs.size, shape.patch)
    return StudyData(prepared.dataset, shape, grid, inputs, words, recipes, prepared.digest)


def cut_validation(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, str]:
    """Return the labelled training pictures with a val part and without a test part, and a description.

    The val part is that of the data set, or `share` of each class of the labelled training pictures.
    Raises DataError if that is less than one picture.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> dataset, text = cut_validation(open_dataset("demo"), share=0.1, seed=0)
        >>> text
        '800 of 8000 labelled training pictures'
    """
    train, own = labelled_part(dataset, "train"), labelled_part(dataset, "val")
    if len(own):
        known = np.concatenate([np.flatnonzero(dataset.split == part) for part in ("train", "val")])
        known = np.intersect1d(known, dataset.labelled)
        return dataset.take(known), f"the {len(own)} labelled pictures of the val part"
    assert train.labels is not None
    codes = stratified(train.labels, {"val": share}, seeding.key(seed, "validation"))
    count = int((codes == "val").sum())
    if not count:
        raise DataError(
            dataset.name,
            got=f"{len(train)} labelled training pictures, too few for a validation share of {share:g}",
            expected="at least one picture for validation",
            do="choose a larger --validation",
        )
    text = f"{count} of {len(train)} labelled training pictures"
    return replace(train, split=np.asarray(codes)), text


def _shared(options: TrainingStudyOptions, names: tuple[str, ...]) -> dict[str, Any]:
    words = {name: getattr(options, name) for name in ("channels", "workers", "device", "checkpoint_seconds")}
    return words | {name: value for name in names if (value := getattr(options, name)) != AUTO}


def _pretrain_words(options: TrainingStudyOptions) -> dict[str, Any]:
    words = _shared(options, ("image_size", "model", "patch"))
    words |= _named(options, {"epochs": "pretrain_epochs", "base_lr": "pretrain_lr"})
    if isinstance(options, DataSizeOptions):
        words["mask_ratio"] = options.mask_ratio
    return {**words, "recipe": options.pretrain_recipe or options.recipe}


def _finetune_words(options: TrainingStudyOptions) -> dict[str, Any]:
    words = _shared(options, ())
    words |= _named(options, {"epochs": "finetune_epochs", "min_steps": "finetune_min_steps"})
    return {**words, "recipe": options.finetune_recipe or options.recipe}


def _scratch_words(options: DataSizeOptions) -> dict[str, Any]:
    words = _shared(options, ("image_size",))
    words |= _named(options, {"epochs": "scratch_epochs", "min_steps": "scratch_min_steps"})
    return {**words, "recipe": options.scratch_recipe or options.recipe}


def _named(options: TrainingStudyOptions, names: dict[str, str]) -> dict[str, Any]:
    return {ours: value for ours, theirs in names.items() if (value := getattr(options, theirs)) != AUTO}
