"""What to try after a fine-tuning, from what it reached and how."""

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

ENOUGH = 0.97  # of the best baseline
FEW = 100  # labelled files a class: below, more of them help more than anything else
GAP = 0.1  # of accuracy, between training and validation files


def next_steps(
    options: FinetuneOptions,
    data: Dataset,
    history: History,
    verdict: Verdict | None,
    situation: Situation,
    given: Mapping[str, Any],
) -> list[str]:
    """Sentences, the most promising first; `given` are the options that somebody gave."""
    trained, watched = history.values("train_accuracy"), history.values("val_accuracy")
    learned = bool(trained) and trained[-1] >= PERFECT
    found: list[str] = []
    if verdict is not None and verdict.baseline is not None and verdict.baseline >= ENOUGH:
        found.append("A simple classifier is enough to tell these classes apart: no network is needed.")
    found += _starts(options, situation)
    if verdict is not None and verdict.best is not None and verdict.best.name == FROZEN:
        found.append(
            "The frozen start is the best baseline: kakera probe shows more of it; try a lower --base-lr."
        )
    if trained and not learned:
        changes = {"epochs": 3 * history.records[-1]["epoch"], "time": None, "out": f"{options.out}-longer"}
        found.append(
            f"Train longer: it is right on {100 * trained[-1]:.0f} % of the training files, so it has not "
            f"learned these yet: {again('finetune', situation.data, given, **changes)}"
        )
    if learned and watched and trained[-1] - watched[-1] > GAP:
        found.append("It knows the training files by heart: more --mixup, --cutmix or --drop-path.")
    classes = max(len(data.classes), 1)
    labelled = len(data.part("train").labelled)
    if options.labels and options.labels < labelled:
        found.append(f"Use all {labelled} labels instead of {options.labels}.")
    elif labelled < FEW * classes:
        found.append(f"Label more files: there are {labelled / classes:.0f} a class for training.")
    found.append("Look at the worst mistakes below: wrong labels and classes that overlap show there.")
    found.append(
        f"Other options make another run: give it a folder of its own, such as --out {options.out}-2."
    )
    return found


def _starts(options: FinetuneOptions, situation: Situation) -> list[str]:
    """What to start from instead: published weights where these know more, else a pretraining."""
    if is_published(options.init_from):
        return []
    found: list[str] = []
    if situation.wants_published:
        first = published(FIRST[situation.kind])
        found.append(f"Start from published weights: --init-from {first.name} ({first.facts()}).")
    if not options.init_from:
        alone = command("pretrain", situation.data)
        without = "Without network: " if found else ""
        found.append(
            f"{without}{alone} learns from all files, also unlabelled ones; then --init-from its run."
        )
    return found
