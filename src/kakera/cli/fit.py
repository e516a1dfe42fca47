"""`kakera fit DATA --init-from ENCODER`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_evaluation, print_plan, print_report, print_written
from kakera.errors import OptionError
from kakera.training.folders import default_folder
from kakera.training.options import FitOptions


def run(words: Sequence[str]) -> int:
    """Train a head on frozen tokens and print its evaluation. Raises OptionError without --init-from."""
    parser = Arguments("fit", "Train a head on the frozen tokens of an encoder, in seconds.")
    parser.add_plan()
    parser.add_options(FitOptions, without=("image_size", "channels", "crop_pct"))
    given = vars(parser.parse_args(words))
    if "init_from" not in given:
        raise OptionError(
            "kakera fit", got="no --init-from", expected="a run folder", do="add --init-from RUN"
        )
    given.setdefault("out", default_folder("fit", given["data"]))
    from kakera.commands.fit import fit_run, plan_fit

    data = given.pop("data")
    if given.pop("plan"):
        return print_plan(plan_fit(data, **given), ["fit", *words])
    found = fit_run(data, given, announce=True)
    dataset, folder = found.setup.dataset, found.folder
    print_evaluation(found.evaluation, folder, regression=dataset.regression)
    for sentence in found.sentences:
        print(sentence)
    print_written(folder)
    from kakera.training.planning.next_commands import after_finetune, after_regression
    from kakera.training.planning.situation import is_published, situation_of

    facts = situation_of(dataset, data)
    if dataset.regression:
        print(*after_regression(facts.files, folder), sep="\n")
    else:
        print(*after_finetune(facts, folder, from_hub=is_published(given["init_from"]))[:1], sep="\n")
    print_report(folder)
    return 0
