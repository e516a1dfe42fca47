"""`kakera pretrain DATA --out RUN`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_written
from kakera.training.folders import default_folder
from kakera.training.options import PretrainOptions


def run(words: Sequence[str]) -> int:
    """Pretrain, or go on with it."""
    parser = Arguments("pretrain", "Learn from pictures without labels by guessing hidden patches.")
    parser.add_recipe()
    parser.add_options(PretrainOptions)
    given = vars(parser.parse_args(words))
    given.setdefault("out", default_folder("pretrain", given["data"]))
    from kakera.training.pretrain import pretrain

    data = given.pop("data")
    trained = pretrain(data, **given)
    if not trained.leads:
        return 0
    print_written(trained.folder)
    from kakera.training.next_commands import after_pretrain, situation

    print(*after_pretrain(situation(data), trained.folder), sep="\n")
    return 0
