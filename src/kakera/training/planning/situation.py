"""What advice follows from, counted: of a data set, of a name, of what a run was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kakera.data.checks.warnings import measured_part
from kakera.data.dataset import Dataset
from kakera.data.shards.open import is_address
from kakera.data.sources.builtin import NAMES
from kakera.data.sources.open import open_dataset
from kakera.errors import KakeraError
from kakera.training.configuration import CONFIG, read_config
from kakera.training.planning.facts import facts_of
from kakera.training.planning.next_commands import Situation


def situation_of(dataset: Dataset, data: str | Path, *, side: int = 0) -> Situation:
    """Count a data set that was opened as `data`; no picture is read."""
    known, name = dataset.split[dataset.labelled], str(data)
    return Situation(
        data=named(name),
        kind=dataset.kind,
        count=int((dataset.split == "train").sum()),
        classes=len(dataset.classes),
        labelled=int((known == "train").sum()),
        measured=int((known == measured_part(dataset)).sum()),
        side=side,
        files=_files(dataset, name) if _there(name) else "FILES",
    )


def situation(data: str) -> Situation:
    """Count a data set anew, by its name, and look at a few headers.

    Of one that has gone since nothing is known but the name.
    """
    try:
        dataset = open_dataset(data)
        return situation_of(dataset, data, side=max(facts_of(dataset).size))
    except KakeraError:
        return Situation(data)


def named(data: str) -> str:
    """Return the data as a command names them: of objects in memory, which have no place, only DATA."""
    return data if _there(data) else "DATA"


def trained_on(run: str | Path) -> str:
    """The name of the data that a run was trained on; nothing where that is not known or not there."""
    data = str(config_of(run).get("data", ""))
    return data if _there(data) else ""


def is_published(start: str | Path) -> bool:
    """Return whether a start is others' weights: named, and no run of kakera."""
    return bool(str(start)) and not config_of(start)


def config_of(run: str | Path) -> dict[str, Any]:
    """Return the options of a run, its `config.json`; empty where a folder is none."""
    try:
        config = read_config(Path(run) / CONFIG)
    except (OSError, ValueError):
        return {}
    return config if "verb" in config else {}


def _there(data: str) -> bool:
    return Path(data).exists() or data in NAMES or is_address(data)


def _files(dataset: Dataset, data: str) -> str:
    """The data themselves, where files lie in a folder, in shards or under a built-in name."""
    place = Path(data)
    if not place.exists() or place.suffix == ".tar":
        return data
    if dataset.pictures.in_memory:
        return ""
    if place.is_dir():
        return data
    test = np.flatnonzero(dataset.split == (measured_part(dataset) or "train"))
    return dataset.pictures.name(int(test[0])) if len(test) else ""
