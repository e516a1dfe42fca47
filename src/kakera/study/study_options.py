"""What the studies are asked for. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from kakera import duration
from kakera.option_fields import Auto, within
from kakera.training.options import DataOptions
from kakera.training.recipes import build

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)


@dataclass(frozen=True)
class StudyOptions(DataOptions):
    """What both studies share: replicates, time, and how networks are trained."""

    out: str = ""
    """The folder for plan, runs, CSV files and report."""
    seeds: int = within(3, 1, 1000)
    """Repetitions: each draws its own labels and first weights."""
    budget: str = ""
    """Time the study may take, as 45m or 1h30m; the plan is made smaller until it fits."""
    recipe: str = ""
    """Recipe of all trainings; empty takes the one for this data."""
    pretrain_recipe: str = ""
    """Another recipe for pretraining."""
    finetune_recipe: str = ""
    """Another recipe for fine-tuning after pretraining."""
    model: str = "auto"
    """Size of the Vision Transformer, such as micro; auto takes the recipe's."""
    patch: int | Auto = within("auto", 1)
    """Side of a patch in pixels; auto takes the model's own."""
    pretrain_epochs: float | Auto = within("auto", 0, open=True)
    """Epochs of pretraining; auto takes the recipe's."""
    pretrain_lr: float | Auto = within("auto", 0, open=True)
    """Base learning rate of pretraining; auto takes the recipe's."""
    finetune_epochs: float | Auto = within("auto", 0, open=True)
    """Epochs of fine-tuning after pretraining; auto takes the recipe's."""
    finetune_min_steps: int | Auto = within("auto", 0)
    """Fine-tuning takes at least this many steps; auto takes the recipe's."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    checkpoint_seconds: float = 60
    """Seconds between two checkpoints, from which the same command resumes."""


@dataclass(frozen=True)
class MaskRatioOptions(StudyOptions):
    """Which share of the patches to hide (MAE paper, Fig. 5; lecture L11)."""

    mask_ratios: tuple[float, ...] = within(RATIOS, 0, 1, open=True, needed=True)
    """Shares of the patches that are hidden; those that hide equally many are one."""
    labels: tuple[int, ...] = within((1000,), 0, needed=True)
    """How many labels to fine-tune and to probe with; 0 for all."""
    probe_labels: tuple[int, ...] = within((0,), 0)
    """Further numbers of labels to probe with, which costs little; 0 for all."""


@dataclass(frozen=True)
class DataSizeOptions(StudyOptions):
    """CNN, Vision Transformer or masked autoencoder, for how many labels (lecture L7)."""

    sizes: tuple[str, ...] = within(("1%", "3%", "10%", "30%", "100%"), needed=True)
    """Numbers of labels, or shares of all of them: 100, 1000, 10%, all."""
    rates: tuple[float, ...] = within((0.33, 1.0, 3.0), 0, open=True, needed=True)
    """Learning rates tried for each network and size, as multiples of its recipe's."""
    tuning_seeds: int = within(1, 1)
    """Repetitions in which all rates are tried; the rate that is best on average serves all."""
    validation: float = within(0.1, 0, 1, open=True)
    """Share of the labelled training pictures kept to choose rates by, where the data bring no val part."""
    scratch_recipe: str = ""
    """Another recipe for the CNN and the Transformer from scratch."""
    scratch_epochs: float | Auto = within("auto", 0, open=True)
    """Epochs from scratch; auto takes the recipe's."""
    scratch_min_steps: int | Auto = within("auto", 0)
    """From scratch training takes at least this many steps; auto takes the recipe's."""
    max_steps: int = within(0, 0)
    """No training of a classifier takes more steps than this; 0 for no limit."""
    cnn: str = "auto"
    """The ResNet; auto takes the one nearest to the Transformer in parameters."""
    mask_ratio: float = within(0.75, 0, 1, open=True)
    """Share of the patches that pretraining hides."""
    pretrainings: int = within(1, 1)
    """Pretrainings with different seeds, shared among the repetitions."""
    longer: tuple[float, ...] = within((), 0.01)
    """Epochs of further, longer pretrainings, to see how much more of it would change."""
    shifts: tuple[int, ...] = within((1, 2, 4), 1, needed=True)
    """Pixels by which test pictures are moved, or frames by which recordings are, to see what that does."""


T = TypeVar("T", bound=StudyOptions)


def study_options(kind: type[T], values: dict[str, Any]) -> T:
    """Checked options from their names; lists, as in a plan, are taken for tuples. Raises OptionError."""
    plain = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }
    options = build(kind, plain)
    if options.budget:
        duration.seconds(options.budget)
    return options
