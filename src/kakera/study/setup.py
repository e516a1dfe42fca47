"""What a study works on: the pictures, divided, and the options of each kind of training resolved."""

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
from kakera.study.study_options import DataSizeOptions, StudyOptions
from kakera.training.options import FinetuneOptions, LearningOptions, PretrainOptions
from kakera.training.plan import TrainingPlan

PRETRAIN, FINETUNE, SCRATCH = "pretrain", "finetune", "scratch"
SHOWN = 6  # pictures whose reconstructions are shown


@dataclass(frozen=True, eq=False)
class StudyData:
    """The data set, held in memory where it is small, and what the recipes say."""

    dataset: Dataset
    shape: ViTConfig
    grid: Grid
    inputs: InputSpec
    """What the networks take in."""
    option_values: dict[str, dict[str, Any]]
    """The options to call each kind of training with."""
    recipes: dict[str, LearningOptions]
    """All options of each kind of training, from its recipe and these words."""
    digest: dict[str, str]
    """Of files, labels and split."""

    def pretrain(self, out: Path, **changes: Any) -> TrainResult[MAE]:
        """`kakera pretrain` on all training pictures."""
        return pretrain(self.dataset, out=out, **{**self.option_values[PRETRAIN], **changes})

    def classify(self, kind: str, dataset: Dataset, out: Path, **changes: Any) -> TrainResult[WithHead]:
        """`kakera finetune` with the words of a kind of training."""
        words: dict[str, Any] = {"baselines": False, **self.option_values[kind], **changes}
        return finetune(dataset, out=out, **words)

    def steps(self, kind: str, count: int, **changes: Any) -> tuple[int, int]:
        """How many steps a training on `count` pictures takes, and how many make an epoch."""
        recipe = replace(self.recipes[kind], **changes)
        some = self.dataset.take(np.zeros(count, dtype=np.int64))
        plan = TrainingPlan(some, self.inputs.size, Augmentation(), recipe, 0, 0)
        return plan.steps, plan.steps_per_epoch

    @property
    def labelled(self) -> Dataset:
        """The training pictures that carry a label."""
        return labelled_part(self.dataset, "train")

    @property
    def test(self) -> Dataset:
        """The labelled test pictures."""
        return labelled_part(self.dataset, "test")

    @property
    def shown(self) -> Dataset:
        """A few test pictures to look at, the same ones in every study."""
        test = self.test
        return test.take(seeding.permutation(0, 0, len(test), "shown")[:SHOWN])

    def describe(self) -> dict[str, Any]:
        """What a study must find again to go on."""
        return {
            "pictures": len(self.dataset.part("train")),
            "labelled": len(self.labelled),
            "test": len(self.test),
            "classes": list(self.dataset.classes),
            "digest": self.digest,
        }


def study_data(data: str | Path | Dataset, options: StudyOptions) -> StudyData:
    """Open the data and read the recipes. Raises DataError where classes or test labels are missing,
    OptionError.
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
            prepared.dataset.name, got="no labelled test pictures", expected="some", do="add a test split"
        )
    shape = require_patches(vit_config(chosen.model), chosen.patch)
    inputs = prepared.inputs(chosen.image_size, shape.patch, chosen.seconds)
    recipes: dict[str, LearningOptions] = {PRETRAIN: chosen}
    for kind in set(words) - {PRETRAIN}:
        # The same Transformer everywhere, whatever the recipes say of its size.
        words[kind] |= {"model": chosen.model, "patch": chosen.patch} if kind == SCRATCH else {}
        if inputs.sound is not None and kind == SCRATCH:  # and the same ears
            words[kind] |= {"sound": chosen.sound, "seconds": chosen.seconds}
        given = {name: value for name, value in words[kind].items() if name != "recipe"}
        # A fine-tuning hears as its start does.
        given |= {"init_from": "a run", "sound": chosen.sound} if kind == FINETUNE else {}
        recipes[kind] = prepare(FinetuneOptions, prepared.dataset, words[kind]["recipe"], given)[0]
    grid = Grid.cover(inputs.size, shape.patch)
    return StudyData(prepared.dataset, shape, grid, inputs, words, recipes, prepared.digest)


def cut_validation(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, str]:
    """The training pictures with labels and a val part beside them, nothing for testing; how it was got.

    The data's own val part, or a share of each class of the labelled training pictures.
    """
    train, own = labelled_part(dataset, "train"), labelled_part(dataset, "val")
    if len(own):
        known = np.concatenate([np.flatnonzero(dataset.split == part) for part in ("train", "val")])
        known = np.intersect1d(known, dataset.labelled)
        return dataset.take(known), f"the {len(own)} labelled pictures of the data's own val part"
    assert train.labels is not None
    codes = stratified(train.labels, {"val": share}, seeding.key(seed, "validation"))
    count = int((codes == "val").sum())
    if not count:
        raise DataError(
            dataset.name,
            got=f"{len(train)} labelled training pictures, too few to keep {share:g} of them",
            expected="at least one picture to choose rates by",
            do="choose a larger --validation",
        )
    text = f"{count} of {len(train)} labelled training pictures"
    return replace(train, split=np.asarray(codes)), text


def _shared(options: StudyOptions, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: getattr(options, name) for name in ("channels", "workers", "device", "checkpoint_seconds")}
    return found | {name: value for name in names if (value := getattr(options, name)) != AUTO}


def _pretrain_words(options: StudyOptions) -> dict[str, Any]:
    words = _shared(options, ("image_size", "model", "patch"))
    words |= _named(options, {"epochs": "pretrain_epochs", "base_lr": "pretrain_lr"})
    if isinstance(options, DataSizeOptions):
        words["mask_ratio"] = options.mask_ratio
    return {**words, "recipe": options.pretrain_recipe or options.recipe}


def _finetune_words(options: StudyOptions) -> dict[str, Any]:
    words = _shared(options, ())
    words |= _named(options, {"epochs": "finetune_epochs", "min_steps": "finetune_min_steps"})
    return {**words, "recipe": options.finetune_recipe or options.recipe}


def _scratch_words(options: DataSizeOptions) -> dict[str, Any]:
    words = _shared(options, ("image_size",))
    words |= _named(options, {"epochs": "scratch_epochs", "min_steps": "scratch_min_steps"})
    return {**words, "recipe": options.scratch_recipe or options.recipe}


def _named(options: StudyOptions, names: dict[str, str]) -> dict[str, Any]:
    return {ours: value for ours, theirs in names.items() if (value := getattr(options, theirs)) != AUTO}
