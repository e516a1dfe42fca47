"""`kakera finetune DATA --from RUN`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_table, print_written
from kakera.training.folders import default_folder
from kakera.training.options import FinetuneOptions


def run(words: Sequence[str]) -> int:
    """Train a classifier and print its evaluation."""
    parser = Arguments("finetune", "Train a classifier; without --from from scratch.")
    parser.add_recipe()
    parser.add_options(FinetuneOptions)
    given = vars(parser.parse_args(words))
    given.setdefault("out", default_folder("finetune", given["data"]))
    from kakera.training.finetune import finetune

    data = given.pop("data")
    trained = finetune(data, **given)
    if not trained.leads:
        return 0
    if trained.evaluation is None:
        print("no labelled test pictures, so nothing was measured")
    else:
        print_table(trained.evaluation.table())
        print(trained.evaluation.summary())
    print_written(trained.folder)
    from kakera.model.cnn import ResNet
    from kakera.training.next_commands import after_finetune, situation

    transformer = not isinstance(trained.saved.model, ResNet)
    print(*after_finetune(situation(data), trained.folder, transformer=transformer), sep="\n")
    return 0
