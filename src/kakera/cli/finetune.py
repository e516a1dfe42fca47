"""`kakera finetune DATA --init-from RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_evaluation, print_plan, print_report, print_written
from kakera.training.folders import default_folder
from kakera.training.options import FinetuneOptions


def run(words: Sequence[str]) -> int:
    """Train a classifier, or a model that predicts numbers, and print its evaluation."""
    purpose = "Train a classifier (or for numbers: --task), from the weights of --init-from or from scratch."
    parser = Arguments("finetune", purpose)
    parser.add_recipe("finetune", "scratch")
    parser.add_plan()
    parser.resolve = _resolve
    parser.add_options(FinetuneOptions)
    given = vars(parser.parse_args(words))
    given.setdefault("out", default_folder("finetune", given["data"]))
    if given.pop("plan"):
        from kakera.commands.finetune import plan_finetune

        return print_plan(plan_finetune(given.pop("data"), **given), ["finetune", *words])
    from kakera.commands.finetune import finetune

    data = given.pop("data")
    trained = finetune(data, **given)
    if not trained.is_main:
        return 0
    print_evaluation(trained.evaluation, trained.folder, regression=trained.saved.regression)
    print_written(trained.folder)
    if trained.saved.regression:
        from kakera.training.planning.next_commands import after_regression
        from kakera.training.planning.situation import situation

        facts = situation(data, given.get("task", "auto"), given.get("target_column", ""))
        print(*after_regression(facts.files, trained.folder), sep="\n")
        print_report(trained.folder)
        return 0
    from kakera.training.planning.next_commands import after_finetune
    from kakera.training.planning.situation import is_published, situation

    lines = after_finetune(
        situation(data),
        trained.folder,
        transformer=trained.saved.model.has_attention,
        from_hub=is_published(given.get("init_from", "")),
    )
    print(*lines, sep="\n")
    print_report(trained.folder)
    return 0


def _resolve(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all options for the data in `given`, by name. Raises KakeraError."""
    from kakera.commands.prepare import resolve
    from kakera.formats.load import load

    given.pop("plan", None)
    data, recipe = given.pop("data"), given.pop("recipe", "")
    start = load(given["init_from"]).inputs if given.get("init_from") else None
    return asdict(resolve(FinetuneOptions, data, recipe, given, start)[0])
