"""The common sections of both study reports: plan and time, settings, command and costs."""

from __future__ import annotations

import shlex
from dataclasses import MISSING, asdict, fields
from typing import Any

from kakera import duration
from kakera.option_fields import AUTO
from kakera.reports import html
from kakera.reports.prose import capital
from kakera.reports.tables import COSTS, write_csv
from kakera.study.scheduler import StudyResult
from kakera.study.setup import PRETRAIN, StudyData
from kakera.study.study_options import StudyOptions

HIDDEN = {"device", "workers", "checkpoint_seconds", "out"}  # without influence on the results
OWN = {
    *("data", "image_size", "channels", "seed", "init_from", "labels", "label_seed", "mask_ratio", "model"),
    "patch",
}
"""Options of a training that the study sets itself; the tables leave them out."""


def command(name: str, options: StudyOptions) -> str:
    """Return the command line of this study, with the options that differ from the defaults.

    Example:

        >>> from kakera.study.study_options import MaskRatioOptions
        >>> command("mask-ratio", MaskRatioOptions("pictures", seeds=2))
        'kakera study mask-ratio pictures --seeds 2'
    """
    words = ["kakera", "study", name, options.data]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.default is MISSING or value == field.default:
            continue
        words.append("--" + field.name.replace("_", "-"))
        words += map(str, value) if isinstance(value, tuple) else [str(value)]
    return shlex.join(words)


def time_and_command(finished: StudyResult, name: str, options: StudyOptions) -> list[str]:
    """Return the section with estimated and real time, what the budget left out, and the command.

    Example:

        >>> from pathlib import Path
        >>> from kakera.study.plan import StudyPlan
        >>> from kakera.study.study_options import MaskRatioOptions
        >>> finished = StudyResult(Path(), StudyPlan(()), {}, {})
        >>> time_and_command(finished, "mask-ratio", MaskRatioOptions("pictures"))[-1]
        '<pre><code>kakera study mask-ratio pictures</code></pre>'
    """
    spent = sum(finished.spent.values())
    return [
        html.heading("Plan, time and command"),
        html.table(finished.plan.table()),
        html.paragraph(
            f"Estimated time: {duration.words(finished.plan.seconds)}. Real time: {duration.words(spent)}, "
            "the sum over all processes, including interrupted attempts."
        ),
        *(html.paragraph(capital(line) + ".") for line in finished.plan.remarks()),
        html.code(command(name, options)),
    ]


def settings(material: StudyData, chosen: dict[str, Any]) -> list[str]:
    """Return the section with the data, the options of the study, and those of each kind of training."""
    facts, (height, width) = material.describe(), material.inputs.size
    size = f"{height} x {width} pixels"
    if material.inputs.sound is not None:
        seconds = material.inputs.sound.seconds(material.inputs.sound.samples(width))
        size = f"{height} mel bands x {width} frames (windows of {seconds:.2f} seconds)"
    parts = [
        html.heading("Settings"),
        html.paragraph(
            f"{material.dataset.name}: {facts['pictures']} training pictures, {facts['labelled']} of them "
            f"with a label, {facts['test']} labelled test pictures, {len(facts['classes'])} classes. "
            f"Model input: {size}, {material.grid.rows} x {material.grid.cols} patches. "
            f"The Vision Transformer has {material.shape.depth} layers of width "
            f"{material.shape.width} with {material.shape.heads} heads."
        ),
        html.table([("option of the study", "value"), *_rows(chosen)]),
    ]
    for kind, recipe in sorted(material.recipes.items()):
        values = {name: value for name, value in asdict(recipe).items() if name not in OWN}
        if kind == PRETRAIN and chosen["pretrain_epochs"] != AUTO:
            values["epochs"] = chosen["pretrain_epochs"]  # a budget may have changed it
        parts.append(html.table([(f"option of {kind}", "value"), *_rows(values)]))
    return parts


def write_costs(finished: StudyResult) -> None:
    """Write `costs.csv`: the estimated and real seconds of each unit.

    Example:

        >>> from pathlib import Path
        >>> from kakera.study.plan import StudyPlan, WorkUnit
        >>> unit = WorkUnit("a", "probe", {}, seconds=60.0)
        >>> write_costs(StudyResult(Path(), StudyPlan((unit,)), {"a": {}}, {"a": 55.0}))
        >>> print(Path("costs.csv").read_text().splitlines()[1])
        a,probe,60.000000,55.000000,
    """
    rows = [
        (
            unit.name,
            unit.kind,
            unit.seconds,
            finished.spent[unit.name],
            finished.results[unit.name].get("training_seconds", ""),
        )
        for unit in finished.plan.units
    ]
    write_csv(finished.folder / COSTS, ("unit", "kind", "estimated", "seconds", "training_seconds"), rows)


def _rows(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for name, value in values.items()
        if name not in HIDDEN and value not in ("", AUTO)
    ]
