"""`kakera study mask-ratio|data-size DATA`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_table
from kakera.errors import OptionError
from kakera.study.study_options import DataSizeOptions, MaskRatioOptions, StudyOptions
from kakera.training.folders import default_folder

STUDIES: dict[str, tuple[type[StudyOptions], str]] = {
    "mask-ratio": (
        MaskRatioOptions,
        "Compare mask ratios on your data, as in Fig. 5 of the MAE paper.",
    ),
    "data-size": (
        DataSizeOptions,
        "Compare a CNN, a Vision Transformer and a masked autoencoder for several numbers of labels.",
    ),
}


def run(words: Sequence[str]) -> int:
    """Run a study; print its answer and the path of its report. Raises OptionError for an unknown study."""
    if not words or words[0] in ("-h", "--help"):
        parser = Arguments("study", "Run one of two experiments on your data, with a report.")
        parser.epilog = "\n".join(
            f"  kakera study {name} DATA   {text}" for name, (_, text) in STUDIES.items()
        )
        parser.parse_args(["--help"])
    name, rest = words[0], words[1:]
    if name not in STUDIES:
        raise OptionError(
            "kakera study", got=name, expected=" or ".join(STUDIES), do="try kakera study --help"
        )
    kind, purpose = STUDIES[name]
    parser = Arguments(f"study {name}", purpose)
    parser.add_plan()
    parser.add_options(kind)
    given = vars(parser.parse_args(rest))
    only_plan = given.pop("plan")
    given.setdefault("out", default_folder(f"study-{name}", given["data"]))
    if only_plan:
        _plan(name, given)
        print(f"next: {shlex.join(['kakera', 'study', *(word for word in words if word != '--plan')])}")
        return 0
    return _study(name, given)


def _plan(name: str, given: dict[str, Any]) -> None:
    if name == "mask-ratio":
        from kakera.study.mask_ratio.study import plan_mask_ratio as plan
    else:
        from kakera.study.data_size.study import plan_data_size as plan
    found = plan(given.pop("data"), **given)
    print_table(found.table(), title=f"study {name}")
    for line in found.remarks():
        print(line)


def _study(name: str, given: dict[str, Any]) -> int:
    data, hide = given.pop("data"), None
    if name == "mask-ratio":
        from kakera.study.mask_ratio.study import study_mask_ratio

        done = study_mask_ratio(data, **given)
        hide = done.answer.advised()
    else:
        from kakera.study.data_size.study import study_data_size

        done = study_data_size(data, **given)
    for sentences in done.answer.sentences():
        print(sentences)
    print(f"{done.folder}: report.html, results.csv, costs.csv")
    from kakera.training.planning.next_commands import after_study

    print(*after_study(data, hide), sep="\n")
    print(f"{done.folder / 'report.html'}: open it in a browser")
    return 0
