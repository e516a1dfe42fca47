"""The cases of `kakera bench`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kakera.bench.contest import Work, one_core, returned_value, wall_clock
from kakera.bench.loader import loader
from kakera.bench.log_mel import clips
from kakera.bench.memory import memory
from kakera.bench.networks import inference, mae_step, vit_step
from kakera.bench.search import search_vectors
from kakera.bench.start import start
from kakera.bench.where import GPU
from kakera.errors import OptionError


@dataclass(frozen=True)
class Case:
    """A case: its work, its sizes, and the smallest sizes, which only test that it runs.

    Example:

        >>> Case("start of Python", lambda place: None, quick={"batch": 2}).quick
        {'batch': 2}
    """

    title: str
    build: Callable[..., Work]
    """A function of a folder for files and the sizes, which returns the work."""
    sizes: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    measure: Callable[[Callable[[], Any]], float] = wall_clock
    rounds: int = 0
    """Largest number of rounds; 0 means no limit."""


_BASE = {"size": "base", "patch": 16, "side": 224}
_TINY = {"size": "tiny", "patch": 4, "side": 32}
_NANO = {"size": "nano", "patch": 4, "side": 8, "batch": 2}

CASES: dict[str, Case] = {
    "mae-step": Case(
        "a step of pretraining, ViT-B/16, 224 pixels, batch 16", mae_step, {**_BASE, "batch": 16}, _NANO
    ),
    "mae-step-tiny": Case(
        "a step of pretraining, ViT-Ti/4, 32 pixels, batch 64", mae_step, {**_TINY, "batch": 64}, _NANO
    ),
    "vit-step": Case(
        "a step of a classifier, ViT-B/16, 224 pixels, batch 8", vit_step, {**_BASE, "batch": 8}, _NANO
    ),
    "inference-1": Case(
        "logits of one picture, ViT-B/16, 224 pixels",
        inference,
        {**_BASE, "batch": 1},
        {**_NANO, "batch": 1},
    ),
    "inference-16": Case(
        "logits of 16 pictures, ViT-B/16, 224 pixels",
        inference,
        {**_BASE, "batch": 16},
        _NANO,
    ),
    "loader": Case(
        "JPEG files of 500 x 375 to random crops of 224 x 224, CPU time of one core",
        loader,
        {"pictures": 64, "batch": 16},
        {"pictures": 4, "batch": 2},
        one_core,
    ),
    "log-mel": Case(
        "log-mel spectrograms of clips of 10 seconds, CPU time of one core",
        clips,
        {"clips": 16, "seconds": 10.0},
        {"clips": 1, "seconds": 0.5},
        one_core,
    ),
    "search": Case(
        "exact search of 100 queries among 1 000 000 vectors of 384 numbers",
        search_vectors,
        {"vectors": 1_000_000, "width": 384, "queries": 100},
        {"vectors": 1000, "width": 16, "queries": 5},
    ),
    "start": Case("start of kakera --help, compared with imports", start),
    "mae-memory": Case(
        "peak memory of a step of pretraining, ViT-B/16, 224 pixels, batch 16",
        memory,
        {**_BASE, "batch": 16},
        _NANO,
        returned_value,
        rounds=2,
    ),
}


ON_GPU: dict[str, Case] = {
    "mae-step": Case(
        "a step of pretraining in bf16, ViT-B/16, 224 pixels, batch 256",
        partial(mae_step, where=GPU),
        {**_BASE, "batch": 256},
        _NANO,
    ),
    "mae-step-large": Case(
        "a step of pretraining in bf16, ViT-L/16, 224 pixels, batch 256",
        partial(mae_step, where=GPU),
        {**_BASE, "size": "large", "batch": 256},
        _NANO,
    ),
    "vit-step": Case(
        "a step of a classifier in bf16, ViT-B/16, 224 pixels, batch 256",
        partial(vit_step, where=GPU),
        {**_BASE, "batch": 256},
        _NANO,
    ),
}


def case_of(name: str, table: Mapping[str, Case]) -> Case:
    """Return the case with a name from CASES or ON_GPU. Raises OptionError for an unknown name.

    Example:

        >>> case_of("log-mel", CASES).sizes
        {'clips': 16, 'seconds': 10.0}
    """
    if name not in table:
        raise OptionError("case", got=name, expected="one of " + ", ".join(table), do="choose one of them")
    return table[name]
