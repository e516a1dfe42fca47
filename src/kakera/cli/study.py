"""`kakera study mask-ratio|data-size|encoders DATA`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_table
from kakera.errors import OptionError
from kakera.study.study_options import DataSizeOptions, EncodersOptions, MaskRatioOptions, StudyOptions
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
    "encoders": (
        EncodersOptions,
        "Compare frozen encoders on your data: accuracy, time for each file, size and licence.",
    ),
}
WITHOUT = {"encoders": ("image_size", "channels", "crop_pct")}  # each encoder has its own


def run(words: Sequence[str]) -> int:
    """Run a study; print its answer and the path of its report. Raises OptionError for an unknown study."""
    if not words or words[0] in ("-h", "--help"):
        parser = Arguments("study", "Run one of three experiments on your data, with a report.")
        parser.epilog = "\n".join(
            f"  kakera study {name} DATA   {text}" for name, (_, text) in STUDIES.items()
        )
        parser.parse_args(["--help"])
    name, rest = words[0], words[1:]
    if name not in STUDIES:
        raise OptionError("kakera study", got=name, expected=", ".join(STUDIES), do="try kakera study --help")
    kind, purpose = STUDIES[name]
    parser = Arguments(f"study {name}", purpose)
    parser.add_plan()
    parser.add_options(kind, without=WITHOUT.get(name, ()))
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
    elif name == "encoders":
        from kakera.study.encoders.study import plan_encoders as plan
    else:
        from kakera.study.data_size.study import plan_data_size as plan
    found = plan(given.pop("data"), **given)
    print_table(found.table(), title=f"study {name}")
    for line in found.remarks():
        print(line)


def _study(name: str, given: dict[str, Any]) -> int:
    from kakera.training.planning.next_commands import after_study, command

    data = given.pop("data")
    files = "report.html, results.csv, costs.csv"
    if name == "mask-ratio":
        from kakera.study.mask_ratio.study import study_mask_ratio

        done = study_mask_ratio(data, **given)
        following = after_study(data, done.answer.advised())
    elif name == "encoders":
        from kakera.study.encoders.report import table
        from kakera.study.encoders.study import study_encoders

        done = study_encoders(data, **given)
        print_table(table(done.answer), title=f"{done.answer.part} {done.answer.measure}, per cent")
        out = default_folder("fit", data)
        fit = command("fit", data, "--init-from", done.encoder, "--out", out)
        following = [f"next: {fit}"] if done.encoder else []
        files = "report.html, results.json, results.csv, costs.csv"
    else:
        from kakera.study.data_size.study import study_data_size

        done = study_data_size(data, **given)
        following = after_study(data)
    for sentences in done.answer.sentences():
        print(sentences)
    print(f"{done.folder}: {files}")
    if following:
        print(*following, sep="\n")
    print(f"{done.folder / 'report.html'}: open it in a browser")
    return 0
