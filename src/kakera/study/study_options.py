"""What the studies are asked for. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from kakera import duration
from kakera.errors import OptionError, sentence
from kakera.training.options import DataOptions
from kakera.training.recipes import build


@dataclass(frozen=True)
class StudyOptions(DataOptions):
    """What both studies share: replicates, time, and how networks are trained."""

    out: str = ""
    """The folder for plan, runs, CSV files and report."""
    seeds: int = 3
    """Repetitions: each draws its own labels and first weights."""
    budget: str = ""
    """Time the study may take, as 45m or 1h30m; the plan is made smaller until it fits."""
    recipe: str = ""
    """A recipe for all trainings; empty takes the one for these pictures."""
    pretrain_recipe: str = ""
    """Another one for pretraining."""
    finetune_recipe: str = ""
    """Another one for fine-tuning after pretraining."""
    size: str = ""
    """The Vision Transformer, a row of the table of sizes; empty takes the recipe's."""
    patch: int = 0
    """Side of a patch in pixels; 0 takes the size's own."""
    pretrain_epochs: float = 0
    """Epochs of pretraining; 0 takes the recipe's."""
    pretrain_lr: float = 0
    """Base rate of pretraining; 0 takes the recipe's."""
    finetune_epochs: float = 0
    """Epochs of fine-tuning after pretraining; 0 takes the recipe's."""
    finetune_min_steps: int = 0
    """Fine-tuning takes at least this many steps; 0 takes the recipe's."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    checkpoint_seconds: float = 60
    """How often to save what is needed to go on in the middle of a training."""


@dataclass(frozen=True)
class MaskRatioOptions(StudyOptions):
    """Which share of the patches to hide (MAE paper, Fig. 5; lecture L11)."""

    ratios: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
    """Shares of the patches that are hidden; those that hide equally many are one."""
    labels: tuple[int, ...] = (1000,)
    """How many labels to fine-tune and to probe with; 0 for all."""
    probe_labels: tuple[int, ...] = (0,)
    """Further numbers of labels to probe with, which costs little; 0 for all."""


@dataclass(frozen=True)
class DataSizeOptions(StudyOptions):
    """CNN, Vision Transformer or masked autoencoder, for how many labels (lecture L7)."""

    sizes: tuple[str, ...] = ("1%", "3%", "10%", "30%", "100%")
    """Numbers of labels, or shares of all of them: 100, 1000, 10%, all."""
    rates: tuple[float, ...] = (0.33, 1.0, 3.0)
    """Learning rates tried for each network and size, as multiples of its recipe's."""
    tuning_seeds: int = 1
    """Repetitions in which all rates are tried; the rate that is best on average serves all."""
    validation: float = 0.1
    """Share of the labelled training pictures kept to choose rates by, where the data bring no val part."""
    scratch_recipe: str = ""
    """Another recipe for the CNN and the Transformer from scratch."""
    scratch_epochs: float = 0
    """Epochs from scratch; 0 takes the recipe's."""
    scratch_min_steps: int = 0
    """From scratch training takes at least this many steps; 0 takes the recipe's."""
    max_steps: int = 0
    """No training of a classifier takes more steps than this; 0 for no limit."""
    cnn: str = ""
    """The ResNet; empty takes the one nearest to the Transformer in parameters."""
    hide: float = 0.75
    """Share of the patches that pretraining hides."""
    pretrainings: int = 1
    """Pretrainings with different seeds, shared among the repetitions."""
    longer: tuple[float, ...] = ()
    """Epochs of further, longer pretrainings, to see how much more of it would change."""
    shifts: tuple[int, ...] = (1, 2, 4)
    """Pixels by which test pictures are moved, or frames by which recordings are, to see what that does."""


_LEAST: dict[str, float] = {
    "seeds": 1,
    "tuning_seeds": 1,
    "pretrainings": 1,
    "patch": 0,
    "pretrain_epochs": 0,
    "pretrain_lr": 0,
    "finetune_epochs": 0,
    "finetune_min_steps": 0,
    "scratch_epochs": 0,
    "scratch_min_steps": 0,
    "max_steps": 0,
    "labels": 0,
    "probe_labels": 0,
    "shifts": 1,
    "longer": 0.01,
}
_MAY_BE_EMPTY = ("value_range", "probe_labels", "longer")
_SHARES = ("ratios", "hide", "validation")


def checked(options: StudyOptions) -> None:
    """Raises OptionError for a number that no study can use."""
    for field in fields(options):
        value = getattr(options, field.name)
        values = value if isinstance(value, tuple) else (value,)
        if not values and field.name not in _MAY_BE_EMPTY:
            raise _refusal(field.name, "nothing", "at least one value")
        for one in values:
            if field.name in _LEAST and not one >= _LEAST[field.name]:
                raise _refusal(field.name, one, f"a number from {_LEAST[field.name]:g}")
            if field.name in _SHARES and not 0 < one < 1:
                raise _refusal(field.name, one, "a share between 0 and 1")
            if field.name == "rates" and not one > 0:
                raise _refusal(field.name, one, "a multiple above 0")


def _refusal(name: str, got: object, expected: str) -> OptionError:
    return OptionError(sentence(name, got=got, expected=expected, do="correct it"))


T = TypeVar("T", bound=StudyOptions)


def study_options(kind: type[T], values: dict[str, Any]) -> T:
    """Checked options from their names; lists, as in a plan, are taken for tuples. Raises OptionError."""
    plain = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }
    options = build(kind, plain)
    checked(options)
    if options.budget:
        duration.seconds(options.budget)
    return options
