"""The options of the studies. This module imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from kakera import duration
from kakera.option_fields import Auto, within
from kakera.training.options import DataOptions
from kakera.training.recipes import build

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)


@dataclass(frozen=True)
class StudyOptions(DataOptions):
    """Options of every study: repetitions and time.

    Example:

        >>> StudyOptions(data="demo", seeds=2).budget
        ''
    """

    out: str = ""
    """folder for the plan, runs, CSV files and report"""
    seeds: int = within(3, 1, 1000)
    """number of repetitions; each draws its own labels and initial weights"""
    budget: str = ""
    """longest time of the study, such as 45m or 1h30m; kakera reduces the plan until it fits"""
    device: str = "auto"
    """cpu, cuda, mps or auto"""


@dataclass(frozen=True)
class TrainingStudyOptions(StudyOptions):
    """Options of the studies that train networks.

    Example:

        >>> TrainingStudyOptions(data="demo", seeds=2).pretrain_epochs
        'auto'
    """

    recipe: str = ""
    """recipe of all trainings; empty chooses one for the data"""
    pretrain_recipe: str = ""
    """recipe of pretraining, in place of --recipe"""
    finetune_recipe: str = ""
    """recipe of fine-tuning after pretraining, in place of --recipe"""
    model: str = "auto"
    """size of the Vision Transformer, such as micro; auto: from the recipe"""
    patch: int | Auto = within("auto", 1)
    """side of a patch in pixels; auto: from the model"""
    pretrain_epochs: float | Auto = within("auto", 0, open=True)
    """epochs of pretraining; auto: from the recipe"""
    pretrain_lr: float | Auto = within("auto", 0, open=True)
    """base learning rate of pretraining; auto: from the recipe"""
    finetune_epochs: float | Auto = within("auto", 0, open=True)
    """epochs of fine-tuning after pretraining; auto: from the recipe"""
    finetune_min_steps: int | Auto = within("auto", 0)
    """minimum number of fine-tuning steps; auto: from the recipe"""
    checkpoint_seconds: float = 60
    """seconds between two checkpoints; the same command resumes from the last one"""


@dataclass(frozen=True)
class MaskRatioOptions(TrainingStudyOptions):
    """Options of the mask-ratio study (MAE paper, Fig. 5; lecture L11).

    Example:

        >>> MaskRatioOptions(data="demo", mask_ratios=(0.5, 0.75)).labels
        (1000,)
    """

    mask_ratios: tuple[float, ...] = within(RATIOS, 0, 1, open=True, needed=True)
    """mask ratios to compare; ratios that hide the same number of patches run once"""
    labels: tuple[int, ...] = within((1000,), 0, needed=True)
    """numbers of labels for fine-tuning and probes; 0: all labels"""
    probe_labels: tuple[int, ...] = within((0,), 0)
    """further numbers of labels for probes only, which cost little time; 0: all labels"""


@dataclass(frozen=True)
class DataSizeOptions(TrainingStudyOptions):
    """Options of the data-size study: CNN, Vision Transformer or masked autoencoder (lecture L7).

    Example:

        >>> DataSizeOptions(data="demo", sizes=("100", "10%")).rates
        (0.33, 1.0, 3.0)
    """

    sizes: tuple[str, ...] = within(("1%", "3%", "10%", "30%", "100%"), needed=True)
    """numbers of labels, or shares of all labels, such as 100, 10% or all"""
    rates: tuple[float, ...] = within((0.33, 1.0, 3.0), 0, open=True, needed=True)
    """learning rates to try for each network and size, as multiples of the recipe rate"""
    tuning_seeds: int = within(1, 1)
    """repetitions that try all rates; all repetitions use the rate with the best mean"""
    validation: float = within(0.1, 0, 1, open=True)
    """share of the labelled training pictures for choosing rates, if the data have no val part"""
    scratch_recipe: str = ""
    """recipe of the CNN and the Transformer from scratch, in place of --recipe"""
    scratch_epochs: float | Auto = within("auto", 0, open=True)
    """epochs of training from scratch; auto: from the recipe"""
    scratch_min_steps: int | Auto = within("auto", 0)
    """minimum number of steps from scratch; auto: from the recipe"""
    max_steps: int = within(0, 0)
    """maximum number of steps of a classifier training; 0: no limit"""
    cnn: str = "auto"
    """name of the ResNet; auto: the one nearest to the Transformer in number of parameters"""
    mask_ratio: float = within(0.75, 0, 1, open=True)
    """mask ratio of pretraining"""
    pretrainings: int = within(1, 1)
    """number of pretrainings with different seeds; the repetitions share them"""
    longer: tuple[float, ...] = within((), 0.01)
    """epochs of further, longer pretrainings, to measure the effect of more pretraining"""
    shifts: tuple[int, ...] = within((1, 2, 4), 1, needed=True)
    """shifts of the test pictures in pixels, or of recordings in frames, for the shift test"""


@dataclass(frozen=True)
class EncodersOptions(StudyOptions):
    """Options of the encoders study: which frozen encoder is best for the data.

    Example:

        >>> EncodersOptions(data="demo", encoders=("runs/mae", "facebook/dinov2-small")).labels
        'auto'
    """

    encoders: tuple[str, ...] = ()
    """runs, weights of other libraries, names on the hub, or mae, which is pretrained on the data first"""
    labels: tuple[int, ...] | Auto = within("auto", 0, needed=True)
    """numbers of labels for the heads; 0: all; auto: about 10 and 100 for each class"""
    task: Literal["auto", "classification", "regression"] = "auto"
    """learn classes or numbers; auto: numbers with target_column or float labels, else classes"""
    target_column: str = ""
    """column of the table with the numbers to predict; empty: the column label"""
    recipe: str = ""
    """recipe that pretrains mae; empty chooses one for the data"""
    pretrain_epochs: float | Auto = within("auto", 0, open=True)
    """epochs of pretraining mae; auto: from the recipe"""


T = TypeVar("T", bound=StudyOptions)


def study_options(kind: type[T], values: dict[str, Any]) -> T:
    """Return checked options of a study from a dict of option names and values.

    Lists, as in `plan.json`, become tuples; None values are ignored. Raises OptionError for an unknown name
    or an invalid value.

    Example:

        >>> study_options(MaskRatioOptions, {"data": "demo", "mask_ratios": [0.5, 0.75]}).mask_ratios
        (0.5, 0.75)
    """
    plain = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }
    options = build(kind, plain)
    if options.budget:
        duration.seconds(options.budget, "budget")
    return options
