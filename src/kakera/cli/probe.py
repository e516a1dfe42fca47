"""`kakera probe DATA --init-from RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_plan, print_report, print_table
from kakera.errors import OptionError
from kakera.training.options import ProbeOptions


def run(words: Sequence[str]) -> int:
    """Train classifiers on frozen tokens and print the table. Raises OptionError without --init-from."""
    parser = Arguments(
        "probe", "Train simple classifiers on frozen tokens, and compare them with fine-tuning."
    )
    parser.add_plan()
    parser.add_options(ProbeOptions, without=("image_size", "channels"))
    given = vars(parser.parse_args(words))
    if "init_from" not in given:
        raise OptionError(
            "kakera probe", got="no --init-from", expected="a run folder", do="add --init-from RUN"
        )
    from kakera.commands.probe import plan_probe, probe

    data = given.pop("data")
    if given.pop("plan"):
        return print_plan(plan_probe(data, **given), ["probe", *words])
    report = probe(data, announce=True, **given)
    print_table(report.table())
    print(f"{report.measure} in per cent, mean ± standard deviation over random draws of the labels")
    if "out" in given:
        print(f"{given['out']}: probe.json")
    from kakera.training.planning.next_commands import after_probe
    from kakera.training.planning.situation import is_published

    print(*after_probe(data, given["init_from"], from_hub=is_published(given["init_from"])), sep="\n")
    if "out" in given:
        print_report(Path(given["out"]))
    return 0
