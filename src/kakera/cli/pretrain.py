"""`kakera pretrain DATA --out RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kakera.cli.arguments import Arguments
from kakera.cli.output import default_folder, print_plan, print_report, print_written
from kakera.training.options import PretrainOptions


def run(words: Sequence[str]) -> int:
    """Pretrain, or go on with it."""
    parser = Arguments("pretrain", "Learn from pictures without labels by guessing hidden patches.")
    parser.add_recipe("pretrain")
    parser.add_plan()
    parser.resolve = _resolve
    parser.add_options(PretrainOptions)
    given = vars(parser.parse_args(words))
    given.setdefault("out", default_folder("pretrain", given["data"]))
    if given.pop("plan"):
        from kakera.training.pretrain import plan_pretrain

        return print_plan(plan_pretrain(given.pop("data"), **given))
    from kakera.training.pretrain import pretrain

    trained = pretrain(given.pop("data"), **given)
    if not trained.leads:
        return 0
    print_written(trained.folder)
    print(
        f"next: kakera finetune DATA --from {trained.folder}   or: kakera probe DATA --from {trained.folder}"
    )
    print_report(trained.folder)
    return 0


def _resolve(given: dict[str, Any]) -> dict[str, Any]:
    """The options that apply to some data, by name. Raises KakeraError."""
    from kakera.training.prepare import resolve

    given.pop("plan", None)
    data, recipe = given.pop("data"), given.pop("recipe", "")
    return asdict(resolve(PretrainOptions, data, recipe, given)[0])
