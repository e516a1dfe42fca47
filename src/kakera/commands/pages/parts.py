"""What the pages of all trainings share: curves, cost, settings, files that were skipped."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kakera.commands.pages.history import History
from kakera.data.checks.findings import skipped_words
from kakera.formats.bundle import Pretrained
from kakera.formats.native import count_parameters
from kakera.reports import html
from kakera.reports.plot import Line, plot
from kakera.training.baselines.baselines import Baselines
from kakera.training.baselines.verdict import score_of
from kakera.training.device import device_of
from kakera.training.options import LearningOptions
from kakera.training.run import UNREADABLE


def loss_curves(history: History) -> str:
    """The loss of the training, and of the files that were watched."""
    lines = [Line("training loss, with augmentation", history.points("loss"))]
    names = {"train_loss": "training files without augmentation", "val_loss": "validation files"}
    lines += [Line(name, history.points(key)) for key, name in names.items()]
    drawn = plot([line for line in lines if line.points], x="epoch", y="loss")
    return html.figure(drawn, caption="Loss over the epochs.") if drawn else html.note("No epoch was logged.")


def cost(history: History, saved: Pretrained, options: LearningOptions, pictures: int, kind: str) -> str:
    """Time, steps, speed, size."""
    batch, steps, seconds = min(options.batch_size, pictures), history.steps, history.seconds
    rows = [
        ("what", "how much"),
        ("training time", words(seconds)),
        ("steps", f"{steps}, {batch} {kind} each"),
        ("speed", f"{steps * batch / seconds:.0f} {kind} a second" if seconds else "–"),
        ("device", device_of(options.device).type),
        (
            "weights",
            f"{count_parameters(saved.model) / 1e6:.2f} million, {count_parameters(saved.model) * 4 / 1e6:.1f} MB",
        ),
    ]
    return html.table(rows)


def compared(own: Mapping[str, float], measure: str, baselines: Baselines | None, marked: str) -> list[str]:
    """Scores 0 … 1 of what was trained beside the baselines, best first; nothing without baselines."""
    if baselines is None:
        return []
    rows = [*own.items(), *((one.name, score_of(one, measure) or 0.0) for one in baselines.found)]
    rows.sort(key=lambda row: -row[1])
    lines = [(name, score, (f"{100 * score:.1f} %",)) for name, score in rows]
    said = f"Each baseline was fitted to {baselines.train} labelled training files"
    said += f" (drawn from {baselines.train_of})" if baselines.train < baselines.train_of else ""
    said += f" and measured on {len(baselines.rows)} files"
    said += f" (drawn from {baselines.test_of})" if len(baselines.rows) < baselines.test_of else ""
    return [
        html.heading("Beside simple classifiers, on the same files"),
        html.bars(lines, ("classifier", measure), own=marked),
        html.note(f"{said}, in {words(baselines.seconds)} together."),
        *(html.note(text) for text in baselines.notes),
    ]


def network(saved: Pretrained) -> str:
    """The network and what it takes in, in a sentence."""
    inputs, encoder = saved.inputs, saved.model.backbone
    seen = f"{inputs.height} x {inputs.width} pixels"
    if inputs.sound is not None:
        seconds = inputs.sound.seconds(inputs.sound.samples(inputs.width))
        seen = f"{inputs.height} mel bands by {inputs.width} frames ({seconds:.3g} s)"
    if encoder is None:
        return f"A ResNet that sees {seen}."
    shape = encoder.config
    patch = " x ".join(map(str, shape.patch))
    return (
        f"A Vision Transformer of {shape.depth} layers, width {shape.width}, with {shape.heads} heads; "
        f"it sees {seen} in patches of {patch}."
    )


def settings(options: Mapping[str, Any]) -> str:
    """All options, folded away."""
    rows = [
        (name, " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for name, value in options.items()
    ]
    return html.details("All settings", html.table([("option", "value"), *rows]))


def skipped(folder: Path) -> str:
    """How many files could not be read; nothing where all could."""
    path = folder / UNREADABLE
    if not path.exists():
        return ""
    with path.open(newline="") as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    if not reasons:
        return ""
    return html.warning(f"{skipped_words(reasons)} skipped; {UNREADABLE} names them")


def words(seconds: float) -> str:
    """A duration as one says it."""
    if seconds < 90:
        return f"{seconds:.3g} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.3g} minutes"
    return f"{seconds / 3600:.3g} hours"
