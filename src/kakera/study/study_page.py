"""What the reports of both studies share: plan and time, settings, the command, the costs."""

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

HIDDEN = {"device", "workers", "checkpoint_seconds", "out"}  # of no consequence for the numbers
OWN = {
    *("data", "image_size", "channels", "seed", "init_from", "labels", "label_seed", "mask_ratio", "model"),
    "patch",
}
"""Of a training, what the study sets."""


def command(name: str, options: StudyOptions) -> str:
    """The words that ask for this study: what differs from the defaults."""
    words = ["kakera", "study", name, options.data]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.default is MISSING or value == field.default:
            continue
        words.append("--" + field.name.replace("_", "-"))
        words += map(str, value) if isinstance(value, tuple) else [str(value)]
    return shlex.join(words)


def time_and_command(finished: StudyResult, name: str, options: StudyOptions) -> list[str]:
    """How long it took beside what was estimated, what the budget left out, how to repeat it."""
    spent = sum(finished.spent.values())
    return [
        html.heading("Plan, time and command"),
        html.table(finished.plan.table()),
        html.paragraph(
            f"Estimated before the work: {duration.words(finished.plan.seconds)}. It took "
            f"{duration.words(spent)} of work, all processes and interrupted attempts counted together."
        ),
        *(html.paragraph(capital(line) + ".") for line in finished.plan.remarks()),
        html.code(command(name, options)),
    ]


def settings(material: StudyData, chosen: dict[str, Any]) -> list[str]:
    """The data, the options of the study, and those of each kind of training."""
    found, (height, width) = material.describe(), material.inputs.size
    seen = f"{height} x {width} pixels"
    if material.inputs.sound is not None:
        seconds = material.inputs.sound.seconds(material.inputs.sound.samples(width))
        seen = f"{height} mel bands by {width} frames, {seconds:.2f} seconds at a time,"
    parts = [
        html.heading("Settings"),
        html.paragraph(
            f"{material.dataset.name}: {found['pictures']} training pictures, {found['labelled']} of them "
            f"with a label, {found['test']} labelled test pictures, {len(found['classes'])} classes; seen at "
            f"{seen} as {material.grid.rows} x {material.grid.cols} patches. "
            f"The Vision Transformer has {material.shape.depth} layers of width "
            f"{material.shape.width} with {material.shape.heads} heads."
        ),
        html.table([("option of the study", "value"), *_rows(chosen)]),
    ]
    for kind, recipe in sorted(material.recipes.items()):
        values = {name: value for name, value in asdict(recipe).items() if name not in OWN}
        if kind == PRETRAIN and chosen["pretrain_epochs"] != AUTO:
            values["epochs"] = chosen["pretrain_epochs"]  # which a budget may have changed
        parts.append(html.table([(f"option of {kind}", "value"), *_rows(values)]))
    return parts


def write_costs(finished: StudyResult) -> None:
    """`costs.csv`: what each unit was to take and took, in seconds."""
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
