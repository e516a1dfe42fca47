"""Detection of training files among the files to predict.

Predictions of training files are better than those of new files, so they do not show how good a model is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelled import labelled_part
from kakera.data.arrow.hub import is_hub_name
from kakera.data.audio.source import AudioSource
from kakera.data.checks.digest import SPLIT, digest
from kakera.data.dataset import Dataset
from kakera.data.shards.open import is_address
from kakera.data.sources.open import open_dataset
from kakera.errors import KakeraError
from kakera.training.planning.situation import config_of, trained_on


def seen_files(run: str | Path, dataset: Dataset) -> str:
    """Return a sentence if files of `dataset` are training files of a run, else an empty string.

    The run's `config.json` names its data set. Its files are listed again, but not read. If the data set has
    changed since, the training files are unknown, and the sentence mentions the change.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> seen_files("run-1", open_dataset("demo"))
        ''
    """
    config, data = config_of(run), trained_on(run)
    if config.get("verb") not in ("finetune", "fit") or not data or _is_remote(data):
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
        return (
            f"{many} in {data}, the training data of {run}, which have changed since: "
            "the model may have been trained on them"
        )
    return (
        f"{many} in the training part of {data}, the training data of {run}: "
        f"the predictions do not show the accuracy on new {dataset.kind}"
    )


def _is_remote(data: str) -> bool:
    return is_address(data) or is_hub_name(data)


def _opened(data: str, config: dict[str, Any]) -> Dataset:
    task, column = config.get("task", "classification"), config.get("target_column", "")
    seed, kind = int(config.get("seed", 0)), config.get("kind", "any")
    return open_dataset(data, seed=seed, kind=kind, task=task, target_column=column)


def _places(dataset: Dataset) -> Iterator[str]:
    """Yield the absolute path or identity of each file; skip samples that are not files."""
    files = dataset.pictures
    for source in files.paths:
        if isinstance(source, Path):
            yield os.path.abspath(source)  # noqa: PTH100  # a Path costs ten times the call
        elif isinstance(source, AudioSource):
            yield source.identity()
    if files.records() is not None:
        yield from (os.path.abspath(files.location(row)) for row in range(len(files)))  # noqa: PTH100  # a Path costs several times the call


def _hashes(dataset: Dataset) -> NDArray[np.int64]:
    """Return a 64-bit hash of each file's path; two paths have the same hash with probability 10⁻¹⁹."""
    return np.fromiter(map(hash, _places(dataset)), np.int64)


def _counted(count: int, of: int, things: str) -> str:
    noun = things if of > 1 else things.removesuffix("s")
    subject = f"{count:,} of these {of:,} {noun}" if count < of else f"these {of:,} {noun}"
    if of == 1:
        return f"this {noun} is"
    return f"{subject} {'is' if count == 1 else 'are'}"
