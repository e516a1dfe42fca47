"""Files to predict that a run was trained with: what it says of these says little of new ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelled import labelled_part
from kakera.data.audio.source import Stored
from kakera.data.checks.digest import SPLIT, digest
from kakera.data.dataset import Dataset
from kakera.data.shards.open import is_address
from kakera.data.sources.open import open_dataset
from kakera.errors import KakeraError
from kakera.training.planning.situation import config_of, trained_on


def seen_files(run: str | Path, dataset: Dataset) -> str:
    """Return a sentence where files of `dataset` are training files of a run; else nothing.

    The run's `config.json` names its data, which are listed again, without reading them. Where these have
    changed since, what was trained on is not known, and the sentence says that.
    """
    config, data = config_of(run), trained_on(run)
    if config.get("verb") != "finetune" or not data or is_address(data):
        return ""
    try:
        known = _opened(data, config)
    except KakeraError:
        return ""
    before = config.get("digest") or {}
    same = before.get(SPLIT) == digest(known)[SPLIT]
    before_us, here = (_hashes(one) for one in (labelled_part(known, "train") if same else known, dataset))
    count = int(np.isin(here, before_us).sum())
    if not count:
        return ""
    many = _counted(count, len(dataset), dataset.kind)
    if not same:
        return f"{many} in {data}, which {run} was trained with and which has changed since: it may know them"
    return (
        f"{many} in the training part of {data}, which {run} was trained with: "
        f"how right it is on them says little of new {dataset.kind}"
    )


def _opened(data: str, config: dict[str, Any]) -> Dataset:
    return open_dataset(data, seed=int(config.get("seed", 0)), kind=config.get("kind", "any"))


def _places(dataset: Dataset) -> Iterator[str]:
    """Where each file is, whatever way its path is written; nothing of what is no file."""
    files = dataset.pictures
    for source in files.paths:
        if isinstance(source, Path):
            yield os.path.abspath(source)  # noqa: PTH100  # a Path costs ten times the call
        elif isinstance(source, Stored):
            yield source.identity()
    if files.records() is not None:
        yield from (os.path.abspath(files.location(row)) for row in range(len(files)))  # noqa: PTH100  # as above


def _hashes(dataset: Dataset) -> NDArray[np.int64]:
    """A number of each place, eight bytes; two places have the same one in 10¹⁹."""
    return np.fromiter(map(hash, _places(dataset)), np.int64)


def _counted(count: int, of: int, things: str) -> str:
    noun = things if of > 1 else things.removesuffix("s")
    subject = f"{count:,} of these {of:,} {noun}" if count < of else f"these {of:,} {noun}"
    if of == 1:
        return f"this {noun} is"
    return f"{subject} {'is' if count == 1 else 'are'}"
