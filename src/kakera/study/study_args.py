"""The options of the studies as typed keyword arguments, for editors and type checkers: see `option_args`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kakera.option_fields import Auto
from kakera.training.option_args import DataArgs


class StudyArgs(DataArgs, total=False):
    """Options of every study: repetitions and time.

    Example:

        >>> sorted(StudyArgs.__optional_keys__)[:2]
        ['bits', 'budget']
    """

    seeds: int
    """number of repetitions; each draws its own labels and initial weights"""
    budget: str
    """longest time of the study, such as 45m or 1h30m; kakera reduces the plan until it fits"""
    device: str
    """cpu, cuda, mps or auto"""


class TrainingStudyArgs(StudyArgs, total=False):
    """Options of the studies that train networks.

    Example:

        >>> options: TrainingStudyArgs = {"model": "nano", "seeds": 3}
        >>> options["model"]
        'nano'
    """

    recipe: str
    """recipe of all trainings; empty chooses one for the data"""
    pretrain_recipe: str
    """recipe of pretraining, in place of --recipe"""
    finetune_recipe: str
    """recipe of fine-tuning after pretraining, in place of --recipe"""
    model: str
    """size of the Vision Transformer, such as micro; auto: from the recipe"""
    patch: int | Auto
    """side of a patch in pixels; auto: from the model"""
    pretrain_epochs: float | Auto
    """epochs of pretraining; auto: from the recipe"""
    pretrain_lr: float | Auto
    """base learning rate of pretraining; auto: from the recipe"""
    finetune_epochs: float | Auto
    """epochs of fine-tuning after pretraining; auto: from the recipe"""
    finetune_min_steps: int | Auto
    """minimum number of fine-tuning steps; auto: from the recipe"""
    checkpoint_seconds: float
    """seconds between two checkpoints; the same command resumes from the last one"""


class MaskRatioArgs(TrainingStudyArgs, total=False):
    """Options of the mask-ratio study (MAE paper, Fig. 5; lecture L11).

    Example:

        >>> options: MaskRatioArgs = {"mask_ratios": [0.5, 0.75], "seeds": 3}
        >>> options["seeds"]
        3
    """

    mask_ratios: float | Sequence[float]
    """mask ratios to compare; ratios that hide the same number of patches run once"""
    labels: int | Sequence[int]
    """numbers of labels for fine-tuning and probes; 0: all labels"""
    probe_labels: int | Sequence[int]
    """further numbers of labels for probes only, which cost little time; 0: all labels"""


class DataSizeArgs(TrainingStudyArgs, total=False):
    """Options of the data-size study: CNN, Vision Transformer or masked autoencoder (lecture L7).

    Example:

        >>> options: DataSizeArgs = {"sizes": ["10%", "all"], "seeds": 3}
        >>> options["sizes"]
        ['10%', 'all']
    """

    sizes: str | Sequence[str]
    """numbers of labels, or shares of all labels, such as 100, 10% or all"""
    rates: float | Sequence[float]
    """learning rates to try for each network and size, as multiples of the recipe rate"""
    tuning_seeds: int
    """repetitions that try all rates; all repetitions use the rate with the best mean"""
    validation: float
    """share of the labelled training pictures for choosing rates, if the data have no val part"""
    scratch_recipe: str
    """recipe of the CNN and the Transformer from scratch, in place of --recipe"""
    scratch_epochs: float | Auto
    """epochs of training from scratch; auto: from the recipe"""
    scratch_min_steps: int | Auto
    """minimum number of steps from scratch; auto: from the recipe"""
    max_steps: int
    """maximum number of steps of a classifier training; 0: no limit"""
    cnn: str
    """name of the ResNet; auto: the one nearest to the Transformer in number of parameters"""
    mask_ratio: float
    """mask ratio of pretraining"""
    pretrainings: int
    """number of pretrainings with different seeds; the repetitions share them"""
    longer: float | Sequence[float]
    """epochs of further, longer pretrainings, to measure the effect of more pretraining"""
    shifts: int | Sequence[int]
    """shifts of the test pictures in pixels, or of recordings in frames, for the shift test"""


class EncodersArgs(StudyArgs, total=False):
    """Options of the encoders study: which frozen encoder is best for the data.

    Example:

        >>> options: EncodersArgs = {"encoders": ["runs/mae"], "labels": [100, 1000]}
        >>> options["labels"]
        [100, 1000]
    """

    encoders: str | Sequence[str]
    """runs, weights of other libraries, names on the hub, or mae, which is pretrained on the data first"""
    labels: int | Sequence[int] | Auto
    """numbers of labels for the heads; 0: all; auto: about 10 and 100 for each class"""
    task: Literal["auto", "classification", "regression"]
    """learn classes or numbers; auto: numbers with target_column or float labels, else classes"""
    target_column: str
    """column of the table with the numbers to predict; empty: the column label"""
    recipe: str
    """recipe that pretrains mae; empty chooses one for the data"""
    pretrain_epochs: float | Auto
    """epochs of pretraining mae; auto: from the recipe"""
