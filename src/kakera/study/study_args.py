"""The options of the studies as keyword arguments, for editors and type checkers: see `option_args`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.option_fields import Auto
from kakera.training.option_args import DataArgs


class StudyArgs(DataArgs, total=False):
    """What both studies share: replicates, time, and how networks are trained."""

    seeds: int
    """Repetitions: each draws its own labels and first weights."""
    budget: str
    """Time the study may take, as 45m or 1h30m; the plan is made smaller until it fits."""
    recipe: str
    """Recipe of all trainings; empty takes the one for this data."""
    pretrain_recipe: str
    """Another recipe for pretraining."""
    finetune_recipe: str
    """Another recipe for fine-tuning after pretraining."""
    model: str
    """Size of the Vision Transformer, such as micro; auto takes the recipe's."""
    patch: int | Auto
    """Side of a patch in pixels; auto takes the model's own."""
    pretrain_epochs: float | Auto
    """Epochs of pretraining; auto takes the recipe's."""
    pretrain_lr: float | Auto
    """Base learning rate of pretraining; auto takes the recipe's."""
    finetune_epochs: float | Auto
    """Epochs of fine-tuning after pretraining; auto takes the recipe's."""
    finetune_min_steps: int | Auto
    """Fine-tuning takes at least this many steps; auto takes the recipe's."""
    device: str
    """cpu, cuda, mps or auto."""
    checkpoint_seconds: float
    """Seconds between two checkpoints, from which the same command resumes."""


class MaskRatioArgs(StudyArgs, total=False):
    """Which share of the patches to hide (MAE paper, Fig. 5; lecture L11)."""

    mask_ratios: float | Sequence[float]
    """Shares of the patches that are hidden; those that hide equally many are one."""
    labels: int | Sequence[int]
    """How many labels to fine-tune and to probe with; 0 for all."""
    probe_labels: int | Sequence[int]
    """Further numbers of labels to probe with, which costs little; 0 for all."""


class DataSizeArgs(StudyArgs, total=False):
    """CNN, Vision Transformer or masked autoencoder, for how many labels (lecture L7)."""

    sizes: str | Sequence[str]
    """Numbers of labels, or shares of all of them: 100, 1000, 10%, all."""
    rates: float | Sequence[float]
    """Learning rates tried for each network and size, as multiples of its recipe's."""
    tuning_seeds: int
    """Repetitions in which all rates are tried; the rate that is best on average serves all."""
    validation: float
    """Share of the labelled training pictures kept to choose rates by, where the data bring no val part."""
    scratch_recipe: str
    """Another recipe for the CNN and the Transformer from scratch."""
    scratch_epochs: float | Auto
    """Epochs from scratch; auto takes the recipe's."""
    scratch_min_steps: int | Auto
    """From scratch training takes at least this many steps; auto takes the recipe's."""
    max_steps: int
    """No training of a classifier takes more steps than this; 0 for no limit."""
    cnn: str
    """The ResNet; auto takes the one nearest to the Transformer in parameters."""
    mask_ratio: float
    """Share of the patches that pretraining hides."""
    pretrainings: int
    """Pretrainings with different seeds, shared among the repetitions."""
    longer: float | Sequence[float]
    """Epochs of further, longer pretrainings, to see how much more of it would change."""
    shifts: int | Sequence[int]
    """Pixels by which test pictures are moved, or frames by which recordings are, to see what that does."""
