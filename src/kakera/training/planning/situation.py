"""Facts for suggestions: of a data set, of the name of a data set, of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kakera.data.arrow.files import is_tables
from kakera.data.arrow.hub import is_hub_name
from kakera.data.checks.warnings import measured_part
from kakera.data.dataset import Dataset
from kakera.data.shards.open import is_address
from kakera.data.sources.builtin import NAMES
from kakera.data.sources.numbers import LearningTask
from kakera.data.sources.open import open_dataset
from kakera.errors import KakeraError
from kakera.training.configuration import CONFIG, read_config
from kakera.training.planning.facts import facts_of
from kakera.training.planning.next_commands import Situation


def situation_of(dataset: Dataset, data: str | Path, *, side: int = 0) -> Situation:
    """Return the facts of a data set that was opened as `data`, without reading a picture.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> facts = situation_of(open_dataset("demo"), "demo")
        >>> facts.kind, facts.classes, facts.classifiable
        ('pictures', 10, True)
    """
    known, name = dataset.split[dataset.labelled], str(data)
    return Situation(
        data=named(name),
        kind=dataset.kind,
        count=int((dataset.split == "train").sum()),
        classes=0 if dataset.regression else len(dataset.classes),
        labelled=int((known == "train").sum()),
        measured=int((known == measured_part(dataset)).sum()),
        side=side,
        files=_files(dataset, name) if _there(name) else "FILES",
    )


def situation(data: str, task: LearningTask = "classification", target_column: str = "") -> Situation:
    """Open a data set by its name and return its facts; reads a few headers.

    `task` and `target_column` are as in `open_data`. If the data set cannot be opened any more, the result
    contains only its name.

    Example:

        >>> situation("demo").side, situation("no such folder").side
        (28, 0)
    """
    try:
        dataset = open_dataset(data, task=task, target_column=target_column)
        return situation_of(dataset, data, side=max(facts_of(dataset).size))
    except KakeraError:
        return Situation(data)


def named(data: str) -> str:
    """Return the name of the data for a command; `DATA` for objects in memory, which have no path.

    Example:

        >>> named("demo"), named("an array")
        ('demo', 'DATA')
    """
    return data if _there(data) else "DATA"


def trained_on(run: str | Path) -> str:
    """Return the name of the data of a run; "" if it is unknown or does not exist any more.

    Example:

        >>> Path("trained").mkdir()
        >>> _ = Path("trained/config.json").write_text('{"verb": "pretrain", "data": "demo"}')
        >>> trained_on("trained")
        'demo'
    """
    data = str(config_of(run).get("data", ""))
    return data if _there(data) else ""


def is_published(start: str | Path) -> bool:
    """Return True if `start` names the weights of another library, not a run of kakera.

    Example:

        >>> is_published("timm/vit_small_patch16_224"), is_published("")
        (True, False)
    """
    return bool(str(start)) and not config_of(start)


def config_of(run: str | Path) -> dict[str, Any]:
    """Return the configuration (`config.json`) of a run; empty if the folder is not a run.

    Example:

        >>> Path("run").mkdir()
        >>> _ = Path("run/config.json").write_text('{"verb": "pretrain", "epochs": 10}')
        >>> config_of("run"), config_of("elsewhere")
        ({'verb': 'pretrain', 'epochs': 10}, {})
    """
    try:
        config = read_config(Path(run) / CONFIG)
    except (OSError, ValueError):
        return {}
    return config if "verb" in config else {}


def _there(data: str) -> bool:
    return Path(data).exists() or data in NAMES or is_address(data) or is_hub_name(data)


def _files(dataset: Dataset, data: str) -> str:
    """Return the argument for `predict`: the data (folder, shards, tables, built-in name), or one file."""
    place = Path(data)
    if not place.exists() or place.suffix == ".tar" or is_tables(place):
        return data
    if dataset.pictures.in_memory:
        return ""
    if place.is_dir():
        return data
    test = np.flatnonzero(dataset.split == (measured_part(dataset) or "train"))
    return dataset.pictures.name(int(test[0])) if len(test) else ""
