"""Advice on what to try after a fine-tuning, based on its accuracies and options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kakera.commands.pages.history import PERFECT, History
from kakera.data.dataset import Dataset
from kakera.formats.published import FIRST, published
from kakera.training.baselines.baselines import FROZEN
from kakera.training.baselines.verdict import Verdict
from kakera.training.options import FinetuneOptions
from kakera.training.planning.next_commands import Situation, again, command
from kakera.training.planning.situation import is_published

ENOUGH = 0.97  # score of the best baseline from which no network is needed
FEW = 100  # labelled files per class; with fewer, more labels help more than anything else
GAP = 0.1  # accuracy on training files minus that on validation files: above it the network overfits


def next_steps(
    options: FinetuneOptions,
    data: Dataset,
    history: History,
    verdict: Verdict | None,
    situation: Situation,
    given: Mapping[str, Any],
) -> list[str]:
    """Return sentences of advice, the most promising first; `given` are the options that the user passed.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.training.planning.situation import situation_of
        >>> options, data = FinetuneOptions("demo", out="run-1"), open_dataset("demo")
        >>> situation = situation_of(data, "demo", side=28)
        >>> next_steps(options, data, History(()), None, situation, {})[-1]
        'To train with other options, use another run folder, such as --out run-1-2.'
    """
    trained, watched = history.values("train_accuracy"), history.values("val_accuracy")
    learned = bool(trained) and trained[-1] >= PERFECT
    found: list[str] = []
    if verdict is not None and verdict.baseline is not None and verdict.baseline >= ENOUGH:
        found.append("A simple classifier is enough to separate these classes: you do not need a network.")
    found += _starts(options, situation)
    if verdict is not None and verdict.best is not None and verdict.best.name == FROZEN:
        found.append(
            "A probe on the frozen starting weights is the best baseline: run kakera probe for details, and "
            "try a lower --base-lr."
        )
    if trained and not learned:
        changes = {"epochs": 3 * history.records[-1]["epoch"], "time": None, "out": f"{options.out}-longer"}
        found.append(
            f"Train longer: the accuracy on training files is only {100 * trained[-1]:.0f} %, so the network "
            f"has not learned them yet: {again('finetune', situation.data, given, **changes)}"
        )
    if learned and watched and trained[-1] - watched[-1] > GAP:
        found.append("The network overfits the training files: raise --mixup, --cutmix or --drop-path.")
    classes = max(len(data.classes), 1)
    labelled = len(data.part("train").labelled)
    if options.labels and options.labels < labelled:
        found.append(f"Use all {labelled} labels instead of {options.labels}.")
    elif labelled < FEW * classes:
        found.append(f"Label more files: training uses only {labelled / classes:.0f} per class.")
    found.append("Look at the worst mistakes below: they show wrong labels and classes that overlap.")
    found.append(f"To train with other options, use another run folder, such as --out {options.out}-2.")
    return found


def _starts(options: FinetuneOptions, situation: Situation) -> list[str]:
    """Return advice on better starting weights: published weights if they fit, else a pretraining."""
    if is_published(options.init_from):
        return []
    found: list[str] = []
    if situation.needs_published:
        first = published(FIRST[situation.kind])
        found.append(f"Start from published weights: --init-from {first.name} ({first.facts()}).")
    if not options.init_from:
        alone = command("pretrain", situation.data)
        without = "Without internet access, pretrain" if found else "Pretrain"
        found.append(
            f"{without} on all files, with or without labels: {alone}; then fine-tune with --init-from its "
            "run folder."
        )
    return found
