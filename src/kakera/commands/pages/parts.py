"""Parts that the pages of all trainings share: curves, cost, settings, skipped files."""

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
from kakera.training.lora import count_trained
from kakera.training.options import FinetuneOptions, LearningOptions
from kakera.training.run import UNREADABLE


def loss_curves(history: History, loss: str = "cross-entropy") -> str:
    """Return a plot of the loss in training, and on the samples measured during training.

    `loss` is the loss of training; that on the samples is always the cross entropy.

    Example:

        >>> history = History(({"epoch": 1, "loss": 2.3}, {"epoch": 2, "loss": 1.1}))
        >>> "Loss after each epoch." in loss_curves(history)
        True
    """
    other = "" if loss == "cross-entropy" else "cross entropy of "
    lines = [Line(f"{loss if other else 'training'} loss, with augmentation", history.points("loss"))]
    names = {
        "train_loss": f"{other}training files without augmentation",
        "val_loss": f"{other}validation files",
    }
    lines += [Line(name, history.points(key)) for key, name in names.items()]
    drawn = plot([line for line in lines if line.points], x="epoch", y="loss")
    return (
        html.figure(drawn, caption="Loss after each epoch.") if drawn else html.note("No epoch was logged.")
    )


def cost(history: History, saved: Pretrained, options: LearningOptions, pictures: int, kind: str) -> str:
    """Return a table of training time, steps, speed, device and number of weights.

    `pictures` is the number of training files, and `kind` the plural noun for them.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> history = History(({"epoch": 1, "seconds": 2.0, "step": 40},))
        >>> "2 seconds" in cost(history, saved, LearningOptions("pictures", device="cpu"), 1000, "pictures")
        True
    """
    batch, steps, seconds = min(options.batch_size, pictures), history.steps, history.seconds
    weights = count_parameters(saved.model)
    rows = [
        ("quantity", "value"),
        ("training time", words(seconds)),
        ("steps", f"{steps}, with {batch} {kind} per step"),
        ("speed", f"{steps * batch / seconds:.0f} {kind} per second" if seconds else "–"),
        ("device", device_of(options.device).type),
        ("weights", f"{weights / 1e6:.2f} million, {weights * 4 / 1e6:.1f} MB"),
    ]
    return html.table(rows)


def compared(own: Mapping[str, float], measure: str, baselines: Baselines | None, marked: str) -> list[str]:
    """Return bars that compare the trained classifiers with the baselines, best first.

    `own` are the scores of the trained classifiers by name, 0 to 1; `marked` is the name to highlight.
    Return an empty list without baselines.

    Example:

        >>> from kakera.training.baselines.baselines import Baseline
        >>> known = Baseline("mean colour", 0.5, 0.5, None)
        >>> baselines = Baselines(train=100, train_of=100, test_of=2, rows=(0, 1), found=(known,))
        >>> compared({"ViT": 0.9}, "accuracy", baselines, "ViT")[0]
        '<h2>Comparison with simple classifiers, on the same files</h2>'
    """
    if baselines is None:
        return []
    rows = [*own.items(), *((one.name, score_of(one, measure) or 0.0) for one in baselines.found)]
    rows.sort(key=lambda row: -row[1])
    lines = [(name, score, (f"{100 * score:.1f} %",)) for name, score in rows]
    text = f"Each baseline was fitted to {baselines.train} labelled training files"
    text += f" (drawn from {baselines.train_of})" if baselines.train < baselines.train_of else ""
    text += f" and measured on {len(baselines.rows)} files"
    text += f" (drawn from {baselines.test_of})" if len(baselines.rows) < baselines.test_of else ""
    return [
        html.heading("Comparison with simple classifiers, on the same files"),
        html.bars(lines, ("classifier", measure), own=marked),
        html.note(f"{text}. All baselines together took {words(baselines.seconds)}."),
        *(html.note(text) for text in baselines.notes),
    ]


def network(saved: Pretrained) -> str:
    """Return a sentence about the network and its input size.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> network(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,))))[:72]
        'The network is a Vision Transformer with 3 layers, width 64 and 2 heads.'
    """
    inputs, encoder = saved.inputs, saved.model.backbone
    seen = f"{inputs.height} x {inputs.width} pixels"
    if inputs.sound is not None:
        seconds = inputs.sound.seconds(inputs.sound.samples(inputs.width))
        seen = f"{inputs.height} mel bands by {inputs.width} frames ({seconds:.3g} s)"
    if encoder is None:
        return f"The network is a ResNet with an input of {seen}."
    shape = encoder.config
    patch = " x ".join(map(str, shape.patch))
    return (
        f"The network is a Vision Transformer with {shape.depth} layers, width {shape.width} and "
        f"{shape.heads} heads. Its input is {seen}, in patches of {patch}."
    )


def trained_part(options: FinetuneOptions, saved: Pretrained) -> str:
    """Return a sentence about the part of the network that was trained, or "" for all of it.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> trained_part(FinetuneOptions("demo", lora_rank=4), saved)
        ' LoRA of rank 4 trained 0.01 million weights; the others are those of the start.'
    """
    if options.lora_rank:
        count = count_trained(saved.model, options) / 1e6
        rank = f"LoRA of rank {options.lora_rank} trained {count:.2f} million weights"
        return f" {rank}; the others are those of the start."
    if options.freeze:
        return f" The lowest {options.freeze} layers and the patch embedding are those of the start."
    return ""


def settings(options: Mapping[str, Any]) -> str:
    """Return a table of all options, closed until the reader opens it.

    Example:

        >>> "<td>epochs</td>" in settings({"epochs": 10})
        True
    """
    rows = [
        (name, " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for name, value in options.items()
    ]
    return html.details("All settings", html.table([("option", "value"), *rows]))


def skipped(folder: Path) -> str:
    """Return a warning with the number of skipped files; an empty string if no file was skipped.

    Example:

        >>> _ = Path("unreadable.csv").write_text("path,reason" + chr(10) + "a.png,empty file")
        >>> "1 unreadable file skipped" in skipped(Path())
        True
    """
    path = folder / UNREADABLE
    if not path.exists():
        return ""
    with path.open(newline="") as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    if not reasons:
        return ""
    return html.warning(f"{skipped_words(reasons)} skipped; {UNREADABLE} lists them")


def words(seconds: float) -> str:
    """Return a duration in words, in seconds, minutes or hours, with three digits.

    Example:

        >>> words(12.3), words(600), words(7200)
        ('12.3 seconds', '10 minutes', '2 hours')
    """
    if seconds < 90:
        return f"{seconds:.3g} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.3g} minutes"
    return f"{seconds / 3600:.3g} hours"
