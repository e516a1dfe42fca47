"""What advice follows from, counted: of a data set, of a name, of what a run was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kakera.data.builtin import NAMES
from kakera.data.dataset import ArrayPictures, Dataset
from kakera.data.sounds import ArraySounds
from kakera.data.sources import open_dataset
from kakera.data.warnings import measured_part
from kakera.errors import KakeraError
from kakera.training.next_commands import Situation

CONFIG = "config.json"


def count(dataset: Dataset, data: str | Path, *, side: int = 0) -> Situation:
    """Count a data set that was opened as `data`; no picture is read."""
    known = dataset.split[dataset.labelled]
    return Situation(
        data=str(data),
        kind=dataset.kind,
        count=int((dataset.split == "train").sum()),
        classes=len(dataset.classes),
        labelled=int((known == "train").sum()),
        measured=int((known == measured_part(dataset)).sum()),
        side=side,
        files=_files(dataset, str(data)),
    )


def situation(data: str) -> Situation:
    """Count a data set anew, by its name; of one that has gone since nothing is known but the name."""
    try:
        return count(open_dataset(data), data)
    except KakeraError:
        return Situation(data)


def trained_on(run: str | Path) -> str:
    """The name of the data that a run was trained on; nothing where that is not known or not there."""
    try:
        config = json.loads((Path(run) / CONFIG).read_text())
    except (OSError, ValueError):
        return ""
    data = str(config.get("data", "")) if isinstance(config, dict) and "verb" in config else ""
    return data if Path(data).exists() or data in NAMES else ""


def _files(dataset: Dataset, data: str) -> str:
    """The data themselves, where files lie in a folder, in shards or under a built-in name."""
    place = Path(data)
    if not place.exists() or place.suffix == ".tar":
        return data
    if isinstance(dataset.pictures, ArrayPictures | ArraySounds):
        return ""
    if place.is_dir():
        return data
    test = np.flatnonzero(dataset.split == (measured_part(dataset) or "train"))
    return dataset.pictures.name(int(test[0])) if len(test) else ""
