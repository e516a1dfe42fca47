"""`kakera pretrain DATA --out RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_plan, print_report, print_written
from kakera.training.folders import default_folder
from kakera.training.options import PretrainOptions


def run(words: Sequence[str]) -> int:
    """Pretrain a masked autoencoder, or resume an unfinished pretraining."""
    parser = Arguments("pretrain", "Train a masked autoencoder to predict hidden patches; no labels needed.")
    parser.add_recipe("pretrain")
    parser.add_plan()
    parser.resolve = _resolve
    parser.add_options(PretrainOptions)
    given = vars(parser.parse_args(words))
    given.setdefault("out", default_folder("pretrain", given["data"]))
    if given.pop("plan"):
        from kakera.commands.pretrain import plan_pretrain

        return print_plan(plan_pretrain(given.pop("data"), **given), ["pretrain", *words])
    from kakera.commands.pretrain import pretrain

    data = given.pop("data")
    trained = pretrain(data, **given)
    if not trained.is_main:
        return 0
    print_written(trained.folder)
    from kakera.training.planning.next_commands import after_pretrain
    from kakera.training.planning.situation import situation

    print(*after_pretrain(situation(data), trained.folder), sep="\n")
    print_report(trained.folder)
    return 0


def _resolve(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all options for the data in `given`, by name. Raises KakeraError."""
    from kakera.commands.prepare import resolve
    from kakera.formats.load import load

    given.pop("plan", None)
    data, recipe = given.pop("data"), given.pop("recipe", "")
    start = load(given["init_from"]).inputs if given.get("init_from") else None
    return asdict(resolve(PretrainOptions, data, recipe, given, start)[0])
